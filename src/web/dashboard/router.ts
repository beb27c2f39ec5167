// The place in the dashboard is the address's fragment: '#/transfers/7-12' is the place 'transfers' with the detail '7-12'.
import { Store } from '../shared/store';

export const kPlaces = [
  ['overview', 'Overview'],
  ['transfers', 'Transfers'],
  ['sessions', 'Sessions'],
  ['accounts', 'Accounts'],
  ['storage', 'Storage'],
  ['performance', 'Performance'],
  ['log', 'Log'],
] as const;

export type PlaceName = (typeof kPlaces)[number][0];

export interface Route {
  place: PlaceName;
  detail: string;
}

function parse(fragment: string): Route {
  const [, name = '', detail = ''] = fragment.split('/');
  const known = kPlaces.find(([place]) => place === name);
  return { place: known?.[0] ?? 'overview', detail: decodeURIComponent(detail) };
}

export const route = new Store<Route>(parse(location.hash));
addEventListener('hashchange', () => route.set(parse(location.hash)));

export function addressOf(place: PlaceName, detail = ''): string {
  return place === 'overview' ? '#/' : `#/${place}${detail === '' ? '' : `/${encodeURIComponent(detail)}`}`;
}
