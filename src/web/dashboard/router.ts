// The place in the dashboard is the address's fragment: '#/transfers/7-12' is the place 'transfers' with the detail '7-12'.
import { kPlaces, type PlaceName } from '../shared/places';
import { Store } from '../shared/store';

export interface Route {
  place: PlaceName;
  detail: string;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // somebody's own percent sign
  }
}

function parse(fragment: string): Route {
  const [, name = '', detail = ''] = fragment.split('/');
  const known = kPlaces.find(([place]) => place === name);
  return { place: known?.[0] ?? 'overview', detail: decoded(detail) };
}

export const route = new Store<Route>(parse(location.hash));
addEventListener('hashchange', () => route.set(parse(location.hash)));
