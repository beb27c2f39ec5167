// Who is connected.
import { useState } from 'preact/hooks';
import { remove, sentenceOf } from '../shared/api';
import { ask } from '../shared/dialog';
import { bytes, count, plural, span } from '../shared/format';
import { Icon } from '../shared/icons';
import { notify } from '../shared/notice';
import type { Session } from '../shared/types';
import { contains, Filter } from './filter';
import { PlaceHead } from './place_head';
import { usePoll } from './poll';
import { type Column, Table } from './table';

async function close(session: Session): Promise<void> {
  const confirmed = await ask({
    title: `Close session ${session.id}?`,
    content: (
      <p>
        {session.kind} from {session.peer}
        {session.account !== '' && `, account ${session.account}`}. Its transfers end; most clients connect again by themselves.
      </p>
    ),
    confirm: 'Close the session',
    danger: true,
  });
  if (!confirmed) return;
  try {
    await remove(`/api/v1/sessions/${session.id}`);
    notify(`Session ${session.id} was closed.`);
  } catch (error) {
    notify(sentenceOf(error), true);
  }
}

const kColumns: Column<Session>[] = [
  { title: 'Id', numeric: true, order: (row) => row.id, cell: (row) => row.id },
  { title: 'Peer', wide: true, order: (row) => row.peer, cell: (row) => <span class="mono">{row.peer}</span> },
  { title: 'Account', order: (row) => row.account, cell: (row) => row.account || '–' },
  { title: 'Protocol', narrow: 'hide', order: (row) => row.kind, cell: (row) => row.kind },
  { title: 'TLS', narrow: 'hide', order: (row) => Number(row.tls), cell: (row) => (row.tls ? 'yes' : 'no') },
  { title: 'Requests', numeric: true, narrow: 'hide', order: (row) => row.requests, cell: (row) => count(row.requests) },
  { title: 'In', numeric: true, narrow: 'hide', order: (row) => row.bytes_in, cell: (row) => bytes(row.bytes_in) },
  { title: 'Out', numeric: true, narrow: 'hide', order: (row) => row.bytes_out, cell: (row) => bytes(row.bytes_out) },
  { title: 'Open for', numeric: true, order: (row) => -row.since_ms, cell: (row) => span((Date.now() - row.since_ms) / 1000) },
  {
    title: '',
    cell: (row) => (
      <button type="button" class="icon-button" aria-label={`Close session ${row.id} of ${row.peer}`} title="Close" onClick={() => void close(row)}>
        <Icon name="close" />
      </button>
    ),
  },
];

export function Sessions() {
  const answer = usePoll<{ sessions: Session[] }>('/api/v1/sessions', 2000);
  const [wanted, setWanted] = useState('');
  const all = answer.value?.sessions ?? [];
  const rows = all.filter((session) => contains(`${session.peer} ${session.account} ${session.kind}`, wanted));
  return (
    <>
      <PlaceHead title="Sessions" note={`${plural(all.length, 'connection', 'connections')} now`} why={answer.why}>
        <Filter label="Peer, account or protocol" value={wanted} change={setWanted} />
      </PlaceHead>
      <section class="card" aria-label="Sessions">
        <Table label="Sessions" columns={kColumns} rows={rows} keyOf={(row) => row.id} empty={answer.value === null ? 'Asking …' : 'No session matches.'} />
      </section>
    </>
  );
}
