// Six figures for a glance. Each says its unit and its window; data-metric and data-value hold the exact series and number.
import { bytes, count, perSecond, rate } from '../shared/format';
import { useStore } from '../shared/store';
import type { Metrics, SeriesName } from '../shared/types';
import { historyOf, known } from './history';
import { kRateSeconds, rateOf } from './live';
import { figure, kBytesIn, kBytesOut, kConnections, kErrors, kSaved, kTransfers, type Selector } from './metrics';
import { Sparkline } from './sparkline';

interface TileKind {
  label: string;
  wanted: Selector;
  series: SeriesName;
  level?: string; // a gauge, and what its figure counts; without it a counter
  peak?: string; // what stands in front of the highest of the last five minutes
  rate?: (value: number) => string;
  total?: (value: number) => string;
}

const kNoValues: number[] = [];

const kTiles: TileKind[] = [
  { label: 'Connections', wanted: kConnections, series: 'connections', level: 'sync', peak: 'all: at most' },
  { label: 'Transfers', wanted: kTransfers, series: 'transfers', level: 'active', peak: 'at most' },
  { label: 'In', wanted: kBytesIn, series: 'in_bytes_per_second', rate, total: bytes },
  { label: 'Out', wanted: kBytesOut, series: 'out_bytes_per_second', rate, total: bytes },
  { label: 'Saved by delta', wanted: kSaved, series: 'saved_bytes_per_second', rate, total: bytes },
  { label: 'Errors', wanted: kErrors, series: 'errors_per_second', rate: perSecond, total: count },
];

function Tile({ kind, metrics }: { kind: TileKind; metrics: Metrics }) {
  const history = useStore(historyOf('5m'));
  const found = figure(metrics, kind.wanted);
  const exact = { 'data-metric': found?.query ?? kind.wanted.name, 'data-value': String(found?.value ?? 0) };
  const values = history?.series[kind.series] ?? kNoValues;
  const peak = Math.max(0, ...known(history, kind.series));
  const speed = rateOf(kind.wanted) ?? known(history, kind.series).at(-1);
  const parts = (found?.series ?? []).map((one) => `${one.name} ${one.value}`).join('\n');
  const raised = kind.label === 'Errors' && known(history, kind.series).some((value) => value > 0);
  return (
    <section class={raised ? 'card tile raised' : 'card tile'} aria-label={kind.label} title={parts === '' ? exact['data-metric'] : parts}>
      <h2>{kind.label}</h2>
      {kind.level !== undefined ? (
        <>
          <p class="figure">
            <span {...exact}>{count(found?.value ?? 0)}</span> <span class="unit">{kind.level} now</span>
          </p>
          <p class="window">{kind.peak} {count(peak)} in 5 min</p>
        </>
      ) : (
        <>
          <p class="figure">
            {speed === undefined ? '–' : kind.rate?.(speed)} <span class="unit">over {kRateSeconds} s</span>
          </p>
          <p class="window">
            <span {...exact}>{kind.total?.(found?.value ?? 0)}</span> since the start
          </p>
        </>
      )}
      <Sparkline values={values} />
    </section>
  );
}

export function Tiles({ metrics }: { metrics: Metrics }) {
  return (
    <div class="tiles">
      {kTiles.map((kind) => (
        <Tile key={kind.label} kind={kind} metrics={metrics} />
      ))}
    </div>
  );
}
