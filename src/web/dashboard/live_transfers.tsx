// The transfers of this moment on the overview: as many as there is room for, the rest on their own place.
import { clock, rate, span } from '../shared/format';
import { useSize } from '../shared/use_size';
import type { Transfer } from '../shared/types';
import { moved, secondsLeft, transferRate } from './live';
import { usePoll } from './poll';
import { fragmentOf } from '../shared/places';
import { CancelButton, Direction, endOf, FilePath, ShareText, StateText, TransferBar } from './transfer_parts';

const kRow = 33;
const kHead = 28;
const kLeastRows = 3;
const kRecentMs = 10_000;

function Row({ transfer }: { transfer: Transfer }) {
  const speed = transferRate(transfer);
  const left = secondsLeft(transfer);
  return (
    <tr data-transfer={transfer.id}>
      <td class="wide">
        <FilePath path={transfer.path} href={fragmentOf('transfers', transfer.id)} />
      </td>
      <td class="hide-medium">{transfer.account === '' ? <span class="muted">none</span> : transfer.account}</td>
      <td class="hide-medium">
        <Direction transfer={transfer} />
      </td>
      <td class="bar-cell">
        <TransferBar transfer={transfer} />
      </td>
      <td class="numeric hide-narrow">
        <ShareText transfer={transfer} />
      </td>
      <td class="numeric">{speed === null ? '–' : rate(speed)}</td>
      <td class="numeric hide-narrow">{left === null ? '–' : span(left)}</td>
      <td class="action">
        <CancelButton transfer={transfer} />
      </td>
    </tr>
  );
}

/** Where there is room: what ended last, so that a quiet server does not show an empty field. */
function EndedRow({ transfer }: { transfer: Transfer }) {
  return (
    <tr class="ended">
      <td class="wide">
        <FilePath path={transfer.path} href={fragmentOf('transfers', transfer.id)} />
      </td>
      <td class="hide-medium">{transfer.account === '' ? <span class="muted">none</span> : transfer.account}</td>
      <td class="hide-medium">
        <Direction transfer={transfer} />
      </td>
      <td class="bar-cell">
        <StateText transfer={transfer} />
      </td>
      <td class="numeric hide-narrow">
        <ShareText transfer={transfer} />
      </td>
      <td class="numeric">{rate(moved(transfer) / Math.max(0.001, transfer.seconds))}</td>
      <td class="numeric hide-narrow">at {clock(endOf(transfer))}</td>
      <td />
    </tr>
  );
}

export function LiveTransfers({ transfers }: { transfers: Transfer[] }) {
  const [holder, size] = useSize<HTMLDivElement>();
  const active = transfers.filter((transfer) => transfer.state === 'active');
  const room = Math.max(kLeastRows, Math.floor((size.height - kHead) / kRow));
  const shown = active.slice(0, room);
  const recent = usePoll<{ recent: Transfer[] }>('/api/v1/transfers', kRecentMs).value?.recent ?? [];
  const ended = recent.slice(0, room - shown.length);
  return (
    <section class="card live-transfers" aria-label="Live transfers">
      <div class="card-head">
        <h2>
          Live transfers <span class="muted">{active.length === 0 && 'none now; the last that ended'}</span>
        </h2>
        <span class="key">
          <span class="key-mark matched" /> matched
          <span class="key-mark literal" /> literal
          <span class="key-mark" /> remaining
        </span>
        <a href={fragmentOf('transfers')}>{active.length > shown.length ? `${active.length - shown.length} more` : 'All transfers'}</a>
      </div>
      <div class="live-rows" ref={holder}>
        {shown.length + ended.length === 0 ? (
          <p class="empty">Nothing is being transferred.</p>
        ) : (
          <table class="fixed">
            <thead>
              <tr>
                <th scope="col" class="wide">
                  File
                </th>
                <th scope="col" class="hide-medium col-account">
                  Account
                </th>
                <th scope="col" class="hide-medium col-op">
                  Direction
                </th>
                <th scope="col" class="col-bar">
                  Progress
                </th>
                <th scope="col" class="numeric col-share hide-narrow">
                  Done
                </th>
                <th scope="col" class="numeric col-rate">
                  Rate
                </th>
                <th scope="col" class="numeric hide-narrow col-left">
                  Time left
                </th>
                <th scope="col" class="col-action">
                  <span class="sr-only">Cancel</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((transfer) => (
                <Row key={transfer.id} transfer={transfer} />
              ))}
              {ended.map((transfer) => (
                <EndedRow key={transfer.id} transfer={transfer} />
              ))}
            </tbody>
          </table>
        )}
      </div>
    </section>
  );
}
