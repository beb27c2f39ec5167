// The places of the dashboard, in the order of the bar on top.
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

export function fragmentOf(place: PlaceName, detail = ''): string {
  return place === 'overview' ? '#/' : `#/${place}${detail === '' ? '' : `/${encodeURIComponent(detail)}`}`;
}
