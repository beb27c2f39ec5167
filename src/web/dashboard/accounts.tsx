// The accounts with what they use of their quotas.
import { useState } from 'preact/hooks';
import { Bar } from '../shared/bar';
import { bytes, count, percent, plural } from '../shared/format';
import type { Account } from '../shared/types';
import { contains, Filter } from './filter';
import { PlaceHead } from './place_head';
import { usePoll } from './poll';
import { type Column, Table } from './table';

const kNearlyFull = 0.9;

function Quota({ used, quota, text }: { used: number; quota: number; text: (value: number) => string }) {
  if (quota === 0) return <span class="muted">no quota</span>;
  const share = used / quota;
  return (
    <span class="quota">
      <Bar label={`${text(used)} of ${text(quota)}`} parts={[{ kind: share >= kNearlyFull ? 'over' : 'used', share }]} />
      <span class={share >= kNearlyFull ? 'bad' : ''}>
        {percent(share)}
        {share >= kNearlyFull ? ', nearly full' : ''} <span class="muted hide-narrow">of {text(quota)}</span>
      </span>
    </span>
  );
}

const kColumns: Column<Account>[] = [
  { title: 'Account', wide: true, order: (row) => row.name, cell: (row) => row.name },
  { title: 'Stored', numeric: true, order: (row) => row.bytes, cell: (row) => bytes(row.bytes) },
  { title: 'Of its quota', order: (row) => (row.quota_bytes === 0 ? 0 : row.bytes / row.quota_bytes), cell: (row) => <Quota used={row.bytes} quota={row.quota_bytes} text={bytes} /> },
  { title: 'Files', numeric: true, narrow: 'hide', order: (row) => row.files, cell: (row) => count(row.files) },
  { title: 'Of their quota', narrow: 'hide', order: (row) => (row.quota_files === 0 ? 0 : row.files / row.quota_files), cell: (row) => <Quota used={row.files} quota={row.quota_files} text={count} /> },
  { title: 'Connections', numeric: true, narrow: 'hide', order: (row) => row.connections, cell: (row) => count(row.connections) },
];

export function Accounts() {
  const answer = usePoll<{ accounts: Account[] }>('/api/v1/accounts', 5000);
  const [wanted, setWanted] = useState('');
  const all = answer.value?.accounts ?? [];
  const rows = all.filter((account) => contains(account.name, wanted));
  const empty = answer.value === null ? 'Asking …' : all.length === 0 ? 'This server has no accounts: it serves whoever reaches it.' : 'No account matches.';
  return (
    <>
      <PlaceHead title="Accounts" note={plural(all.length, 'account', 'accounts')} why={answer.why}>
        <Filter label="Account" value={wanted} change={setWanted} />
      </PlaceHead>
      <section class="card" aria-label="Accounts">
        <Table label="Accounts" columns={kColumns} rows={rows} keyOf={(row) => row.name} empty={empty} />
      </section>
    </>
  );
}
