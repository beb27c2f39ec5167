// Storage in full: the disk, and how the bytes that came in were found.
import { bytes, count, percent, plural } from '../shared/format';
import { fragmentOf } from '../shared/places';
import type { Account, Metrics, Status } from '../shared/types';
import { figure } from './metrics';
import { PlaceHead } from './place_head';
import { usePoll } from './poll';
import { StorageBar, StorageLegend, StorageState } from './storage_parts';
import { type Column, Table } from './table';

function deltaBytes(metrics: Metrics, direction: string, kind: string): number {
  return figure(metrics, { name: 'millraced_delta_bytes_total', labels: { direction, kind } })?.value ?? 0;
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

const kByAccount: Column<Account>[] = [
  { title: 'Account', wide: true, order: (row) => row.name, cell: (row) => row.name },
  { title: 'Stored', numeric: true, order: (row) => row.bytes, cell: (row) => bytes(row.bytes) },
  { title: 'Files', numeric: true, order: (row) => row.files, cell: (row) => count(row.files) },
  { title: 'Mean size', numeric: true, narrow: 'hide', order: meanSize, cell: (row) => (row.files === 0 ? '–' : bytes(meanSize(row))) },
];

function meanSize(of: { bytes: number; files: number }): number {
  return of.files === 0 ? 0 : of.bytes / of.files;
}

/** The largest first; all of them stand under Accounts. */
function ByAccount() {
  const answer = usePoll<{ accounts: Account[] }>('/api/v1/accounts', 10_000);
  const largest = (answer.value?.accounts ?? []).toSorted((a, b) => b.bytes - a.bytes).slice(0, 10);
  return (
    <section class="card" aria-label="By account">
      <div class="card-head">
        <h2>Largest accounts</h2>
        <a href={fragmentOf('accounts')}>Accounts</a>
      </div>
      <Table label="Largest accounts" columns={kByAccount} rows={largest} keyOf={(row) => row.name} empty={answer.value === null ? answer.why || 'Asking …' : 'This server has no accounts.'} />
    </section>
  );
}

export function StoragePlace({ status }: { status: Status }) {
  const { storage } = status;
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
        <p class="muted">
          {plural(storage.files, 'file', 'files')} of {bytes(meanSize(storage))} in the mean, {plural(storage.partial_uploads, 'partial upload', 'partial uploads')}
        </p>
      </section>
      <div class="columns">
        <ByAccount />
        <section class="card" aria-label="Deltas">
          <h2>Where the bytes of transfers came from</h2>
          <DeltaTable metrics={status.metrics} />
        </section>
      </div>
    </>
  );
}
