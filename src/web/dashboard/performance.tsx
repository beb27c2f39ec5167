// How the server itself fares: loops, queues, memory, latencies.
import { Bar } from '../shared/bar';
import { bytes, count, latency, moment, percent, rate, span } from '../shared/format';
import type { FlushFigures, LoopFigures, QueueFigures, RequestFigures, Status } from '../shared/types';
import { HistoryChart } from './history_chart';
import { PlaceHead } from './place_head';
import { type Column, Table } from './table';

type Numbered<T> = T & { index: number };

const kLoops: Column<Numbered<LoopFigures>>[] = [
  { title: 'Loop', cell: (row) => row.index },
  { title: 'Lag, 99 % within', numeric: true, cell: (row) => latency(row.lag_p99_seconds) },
  { title: 'Sessions', numeric: true, cell: (row) => count(row.sessions) },
  { title: 'Bytes', numeric: true, cell: (row) => rate(row.bytes_per_second) },
];

const kQueues: Column<QueueFigures>[] = [
  { title: 'Queue', cell: (row) => row.name },
  { title: 'Waiting', numeric: true, order: (row) => row.length, cell: (row) => count(row.length) },
  { title: 'Running', numeric: true, order: (row) => row.running, cell: (row) => count(row.running) },
  { title: 'Half wait', numeric: true, narrow: 'hide', order: (row) => row.wait_p50_seconds, cell: (row) => latency(row.wait_p50_seconds) },
  { title: '99 % wait', numeric: true, order: (row) => row.wait_p99_seconds, cell: (row) => latency(row.wait_p99_seconds) },
];

type Flush = FlushFigures & { what: string };

const kFlushes: Column<Flush>[] = [
  { title: 'Flushed', cell: (row) => row.what },
  { title: 'Times', numeric: true, cell: (row) => count(row.count) },
  { title: 'Half within', numeric: true, cell: (row) => latency(row.p50_seconds) },
  { title: '99 % within', numeric: true, cell: (row) => latency(row.p99_seconds) },
];

const kRequests: Column<RequestFigures>[] = [
  { title: 'Request', wide: true, order: (row) => row.op, cell: (row) => row.op },
  { title: 'Good', numeric: true, order: (row) => row.ok, cell: (row) => count(row.ok) },
  { title: 'Failed', numeric: true, order: (row) => row.failed, cell: (row) => (row.failed > 0 ? <span class="bad">{count(row.failed)}</span> : '0') },
  { title: 'Half within', numeric: true, narrow: 'hide', order: (row) => row.p50_seconds, cell: (row) => latency(row.p50_seconds) },
  { title: '99 % within', numeric: true, order: (row) => row.p99_seconds, cell: (row) => latency(row.p99_seconds) },
];

function Gauge({ name, value, limit, text }: { name: string; value: number; limit: number; text: (value: number) => string }) {
  const label = limit > 0 ? `${text(value)} of ${text(limit)}` : text(value);
  return (
    <div class="gauge">
      <span>{name}</span>
      <Bar label={`${name}: ${label}`} parts={[{ kind: 'used', share: limit > 0 ? value / limit : 0 }]} />
      <span class="gauge-text">{label}</span>
    </div>
  );
}

export function PerformancePlace({ status }: { status: Status }) {
  const { performance, uptime_seconds: uptime } = status;
  const facts: [string, string][] = [
    ['Version', status.version],
    ['Running for', span(uptime)],
    ['Processor, mean', percent(performance.cpu_seconds / Math.max(1, uptime))],
    ['Processor time', span(performance.cpu_seconds)],
    ['Resident memory', bytes(performance.memory.resident_bytes)],
    ['Started', moment(status.started_ms)],
  ];
  return (
    <>
      <PlaceHead title="Performance" note="percentiles of the last minute" />
      <div class="columns">
        <HistoryChart topics={['loopLag', 'latency', 'requests']} />
        <section class="card" aria-label="Process">
          <h2>Process</h2>
          <dl class="facts">
            {facts.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
          <Gauge name="Buffers" value={performance.memory.buffers_bytes} limit={performance.memory.buffers_limit_bytes} text={bytes} />
          <Gauge name="Descriptors" value={performance.descriptors.open} limit={performance.descriptors.limit} text={count} />
          <h2>Listens at</h2>
          <ul class="plain-list">
            {status.listeners.map((listener) => (
              <li key={listener.address}>
                <span class="mono">{listener.address}</span> <span class="muted">{`${listener.kind}, ${listener.tls ? 'TLS' : 'not encrypted'}`}</span>
              </li>
            ))}
          </ul>
        </section>
      </div>
      <div class="columns">
        <section class="card" aria-label="Event loops">
          <h2>Event loops</h2>
          <Table label="Event loops" columns={kLoops} rows={performance.loops.map((loop, index) => ({ ...loop, index }))} keyOf={(row) => row.index} empty="No loop." />
        </section>
        {performance.flushes !== undefined && (
          <section class="card" aria-label="Flushes">
            <h2>
              Flushes to the disk <span class="muted">since the start</span>
            </h2>
            <Table label="Flushes" columns={kFlushes} rows={Object.entries(performance.flushes).map(([what, figures]) => ({ ...figures, what }))} keyOf={(row) => row.what} empty="Nothing was flushed." />
          </section>
        )}
        <section class="card" aria-label="Queues of the workers">
          <h2>Queues of the workers</h2>
          <Table label="Queues" columns={kQueues} rows={performance.queues} keyOf={(row) => row.name} empty="No queue." />
        </section>
      </div>
      <section class="card" aria-label="Requests">
        <h2>
          Requests <span class="muted">since the start</span>
        </h2>
        <Table label="Requests" columns={kRequests} rows={performance.requests} keyOf={(row) => row.op} empty="No request yet." />
      </section>
    </>
  );
}
