// Storage in full: the disk, and how the bytes that came in were found.
import { bytes, count, percent } from '../shared/format';
import type { Metrics, Status } from '../shared/types';
import { figure } from './metrics';
import { PlaceHead } from './place_head';
import { StorageBar, StorageCounts, StorageLegend, StorageState } from './storage_parts';

function deltaBytes(metrics: Metrics, direction: string, kind: string): number {
  return figure(metrics, { name: 'millrace_delta_bytes_total', labels: { direction, kind } })?.value ?? 0;
}

function DeltaTable({ metrics }: { metrics: Metrics }) {
  const rows = [
    { direction: 'in', label: 'Uploads' },
    { direction: 'out', label: 'Downloads' },
  ].map(({ direction, label }) => {
    const matched = deltaBytes(metrics, direction, 'matched');
    const literal = deltaBytes(metrics, direction, 'literal');
    const zero = deltaBytes(metrics, direction, 'zero');
    return { label, matched, literal, zero, total: matched + literal + zero };
  });
  return (
    <div class="table-holder" role="region" aria-label="Where the bytes of transfers came from" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Since the start</th>
            <th scope="col" class="numeric">
              Matched
            </th>
            <th scope="col" class="numeric">
              Literal
            </th>
            <th scope="col" class="numeric">
              Holes
            </th>
            <th scope="col" class="numeric">
              Not sent
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.label}>
              <th scope="row">{row.label}</th>
              <td class="numeric">{bytes(row.matched)}</td>
              <td class="numeric">{bytes(row.literal)}</td>
              <td class="numeric">{bytes(row.zero)}</td>
              <td class="numeric">{row.total === 0 ? '–' : percent((row.matched + row.zero) / row.total)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function StoragePlace({ status }: { status: Status }) {
  const { storage } = status;
  const facts: [string, string][] = [
    ['Files', count(storage.files)],
    ['Mean size', storage.files === 0 ? '–' : bytes(storage.bytes / storage.files)],
    ['Stored', bytes(storage.bytes)],
    ['Trash', bytes(storage.trash_bytes)],
    ['Partial uploads', count(storage.partial_uploads)],
    ['Free', bytes(storage.free_bytes)],
    ['Disk', bytes(storage.total_bytes)],
    ['Reserve', bytes(storage.reserve_bytes)],
  ];
  return (
    <>
      <PlaceHead title="Storage" note="as of this second" />
      <section class="card" aria-label="Disk">
        <h2>Disk</h2>
        <div class="tall-bar">
          <StorageBar storage={storage} />
        </div>
        <StorageState storage={storage} />
        <div class="spread">
          <StorageLegend storage={storage} />
        </div>
        <StorageCounts storage={storage} />
      </section>
      <div class="columns">
        <section class="card" aria-label="Figures">
          <h2>Figures</h2>
          <dl class="facts">
            {facts.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </section>
        <section class="card" aria-label="Deltas">
          <h2>Where the bytes of transfers came from</h2>
          <DeltaTable metrics={status.metrics} />
        </section>
      </div>
    </>
  );
}
