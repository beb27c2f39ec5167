// Looks up series of /metrics by name and labels, and sums them where there are several.
import type { Metrics } from '../shared/types';

export interface Selector {
  name: string;
  labels?: Record<string, string>; // these must be equal
}

export interface Figure {
  query: string; // the series' exact name, or the sum in the words of Prometheus
  value: number;
  series: { name: string; labels: Record<string, string>; value: number }[];
}

interface Parsed {
  name: string;
  labels: Record<string, string>;
}

const parsed = new Map<string, Parsed>();

function parse(series: string): Parsed {
  let known = parsed.get(series);
  if (known === undefined) {
    const brace = series.indexOf('{');
    const labels: Record<string, string> = {};
    if (brace >= 0) for (const [, key = '', value = ''] of series.slice(brace).matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[key] = value;
    known = { name: brace < 0 ? series : series.slice(0, brace), labels };
    parsed.set(series, known);
  }
  return known;
}

function queryOf({ name, labels = {} }: Selector): string {
  const conditions = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  return conditions.length === 0 ? name : `${name}{${conditions.join(',')}}`;
}

function matches(labels: Record<string, string>, wanted: Selector): boolean {
  return Object.entries(wanted.labels ?? {}).every(([key, value]) => labels[key] === value);
}

/** Null where the server has no such series. */
export function figure(metrics: Metrics, wanted: Selector): Figure | null {
  const query = queryOf(wanted);
  const exact = metrics[query];
  if (exact !== undefined) return { query, value: exact, series: [] };
  const found = Object.entries(metrics)
    .map(([series, value]) => ({ series, value, ...parse(series) }))
    .filter((one) => one.name === wanted.name && matches(one.labels, wanted));
  // Sums over some labels may stand beside the series that they sum: only the finest count.
  const finest = Math.max(0, ...found.map((one) => Object.keys(one.labels).length));
  const series = found.filter((one) => Object.keys(one.labels).length === finest).map(({ series: name, labels, value }) => ({ name, labels, value }));
  const [first, second] = series;
  if (first === undefined) return null;
  if (second === undefined) return { query: first.name, value: first.value, series: [] };
  return { query: `sum(${query})`, value: series.reduce((sum, one) => sum + one.value, 0), series };
}

export const kConnections: Selector = { name: 'millraced_connections_active', labels: { listener: 'sync' } };
export const kTransfers: Selector = { name: 'millraced_transfers_active' };
export const kBytesIn: Selector = { name: 'millraced_transfer_wire_bytes_total', labels: { direction: 'in' } };
export const kBytesOut: Selector = { name: 'millraced_transfer_wire_bytes_total', labels: { direction: 'out' } };
export const kSaved: Selector = { name: 'millraced_saved_bytes_total' };
export const kErrors: Selector = { name: 'millraced_request_errors_total' };
