// All transfers: those that run, those that ended lately, and one in detail.
import type { ComponentChildren } from 'preact';
import { bytes, count, latency, moment, percent, rate, span, visible } from '../shared/format';
import type { Transfer } from '../shared/types';
import { type Live, moved, secondsLeft, transferRate } from './live';
import { PlaceHead } from './place_head';
import { usePoll } from './poll';
import { fragmentOf } from '../shared/places';
import type { Route } from './router';
import { type Column, Table } from './table';
import { cancelTransfer, CancelButton, Direction, endOf, FilePath, ShareText, StateText, TransferBar } from './transfer_parts';

interface Answer {
  active: Transfer[];
  recent: Transfer[];
}

const kInEvents = 200;

const kFile: Column<Transfer> = { title: 'File', wide: true, order: (row) => row.path, cell: (row) => <FilePath path={row.path} href={fragmentOf('transfers', row.id)} /> };
const kAccount: Column<Transfer> = { title: 'Account', narrow: 'hide', order: (row) => row.account, cell: (row) => row.account || '–' };
const kDirection: Column<Transfer> = { title: 'Direction', narrow: 'hide', order: (row) => row.op, cell: (row) => <Direction transfer={row} /> };
const kSize: Column<Transfer> = { title: 'Size', numeric: true, narrow: 'hide', order: (row) => row.total_bytes ?? 0, cell: (row) => (row.total_bytes === null ? '–' : bytes(row.total_bytes)) };
const kWire: Column<Transfer> = { title: 'On the wire', numeric: true, narrow: 'hide', order: (row) => row.wire_bytes, cell: (row) => bytes(row.wire_bytes) };

const kActive: Column<Transfer>[] = [
  kFile,
  kAccount,
  kDirection,
  { title: 'Progress', cell: (row) => <TransferBar transfer={row} /> },
  { title: 'Done', numeric: true, cell: (row) => <ShareText transfer={row} /> },
  kSize,
  kWire,
  { title: 'Rate', numeric: true, narrow: 'hide', order: (row) => transferRate(row) ?? 0, cell: (row) => rate(transferRate(row) ?? 0) },
  { title: 'Time left', numeric: true, narrow: 'hide', cell: (row) => span(secondsLeft(row) ?? Number.NaN) },
  { title: '', cell: (row) => <CancelButton transfer={row} /> },
];

const kRecent: Column<Transfer>[] = [
  kFile,
  kAccount,
  kDirection,
  { title: 'Result', order: (row) => row.state, cell: (row) => <StateText transfer={row} /> },
  kSize,
  kWire,
  { title: 'Saved', numeric: true, narrow: 'hide', order: savedShare, cell: (row) => (row.state === 'done' ? percent(savedShare(row)) : '–') },
  { title: 'Took', numeric: true, narrow: 'hide', order: (row) => row.seconds, cell: (row) => (row.seconds < 60 ? latency(row.seconds) : span(row.seconds)) },
  { title: 'Ended', numeric: true, order: endOf, cell: (row) => <time>{moment(endOf(row))}</time> },
];

function savedShare(transfer: Transfer): number {
  const total = moved(transfer);
  return total === 0 ? 0 : Math.max(0, 1 - transfer.wire_bytes / total);
}

function Detail({ transfer }: { transfer: Transfer }) {
  const rows: [string, ComponentChildren][] = [
    ['State', <StateText transfer={transfer} />],
    ['Result', transfer.result ?? 'not ended'],
    ['Account', transfer.account || 'none'],
    ['Connection', String(transfer.connection)],
    ['Direction', <Direction transfer={transfer} />],
    ['Started', moment(transfer.started_ms)],
    ['Running for', span(transfer.seconds)],
    ['Size', transfer.total_bytes === null ? 'not known yet' : `${bytes(transfer.total_bytes)} (${count(transfer.total_bytes)} bytes)`],
    ['Matched (was there)', bytes(transfer.matched_bytes)],
    ['Literal (travelled)', bytes(transfer.literal_bytes)],
    ['Holes', bytes(transfer.zero_bytes)],
    ['On the wire', `${bytes(transfer.wire_bytes)} (${percent(savedShare(transfer))} saved)`],
    ['Rate', transfer.state === 'active' ? rate(transferRate(transfer) ?? 0) : rate(moved(transfer) / Math.max(0.001, transfer.seconds))],
    ['Time left', transfer.state === 'active' ? span(secondsLeft(transfer) ?? Number.NaN) : '–'],
  ];
  return (
    <section class="card" aria-label="Transfer in detail">
      <div class="card-head">
        <h2>
          Transfer {transfer.id} <span class="muted">in detail</span>
        </h2>
        {transfer.state === 'active' && (
          <button type="button" class="danger" onClick={() => void cancelTransfer(transfer)}>
            Cancel
          </button>
        )}
        <a href={fragmentOf('transfers')}>Close</a>
      </div>
      <p class="detail-path">{visible(transfer.path)}</p>
      <TransferBar transfer={transfer} />
      <dl class="detail-list">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

export function Transfers({ live, route }: { live: Live; route: Route }) {
  const answer = usePoll<Answer>('/api/v1/transfers', 2000);
  // The events are newer than the last answer, but they have the newest transfers only.
  const active = answer.value !== null && answer.value.active.length >= kInEvents ? answer.value.active : live.transfers.filter((transfer) => transfer.state === 'active');
  const recent = answer.value?.recent ?? [];
  const chosen = route.detail === '' ? undefined : [...active, ...recent].find((transfer) => transfer.id === route.detail);
  return (
    <>
      <PlaceHead title="Transfers" note={`${count(active.length)} active, the last ${count(recent.length)} that ended`} why={answer.why} />
      {chosen !== undefined && <Detail transfer={chosen} />}
      {route.detail !== '' && chosen === undefined && answer.value !== null && <p class="card empty">The server no longer knows the transfer {route.detail}.</p>}
      <section class="card" aria-label="Active transfers">
        <h2>Active</h2>
        <Table label="Active transfers" columns={kActive} rows={active} keyOf={(row) => row.id} empty="Nothing is being transferred." />
      </section>
      <section class="card" aria-label="Recent transfers">
        <h2>Recent</h2>
        <Table label="Recent transfers" columns={kRecent} rows={recent} keyOf={(row) => row.id} empty="Nothing has ended since the start." />
      </section>
    </>
  );
}
