// What a transfer shows, wherever it is shown.
import { Bar } from '../shared/bar';
import { bytes, percent, span, splitPath, visible } from '../shared/format';
import { Icon, type IconName } from '../shared/icons';
import type { Transfer, TransferState } from '../shared/types';
import { remove, sentenceOf } from '../shared/api';
import { ask } from '../shared/dialog';
import { notify } from '../shared/notice';
import { moved } from './live';

export function FilePath({ path, href }: { path: string; href?: string }) {
  const { folder, name } = splitPath(visible(path));
  const text = (
    <>
      <span class="path-folder">{folder}</span>
      <span class="path-name">{name}</span>
    </>
  );
  return href === undefined ? (
    <span class="path" title={visible(path)}>
      {text}
    </span>
  ) : (
    <a class="path" title={visible(path)} href={href}>
      {text}
    </a>
  );
}

export function Direction({ transfer }: { transfer: Transfer }) {
  return (
    <span class="with-icon">
      <Icon name={transfer.direction === 'in' ? 'up' : 'down'} /> {transfer.op}
    </span>
  );
}

export function share(transfer: Transfer): number | null {
  if (transfer.total_bytes === null) return null;
  return transfer.total_bytes === 0 ? 1 : Math.min(1, moved(transfer) / transfer.total_bytes);
}

/** Matched bytes were there already, literal ones travelled. A hole is neither and counts as matched here: it costs nothing. */
export function TransferBar({ transfer }: { transfer: Transfer }) {
  const total = Math.max(1, transfer.total_bytes ?? moved(transfer));
  const known = transfer.total_bytes !== null;
  const label = known
    ? `${bytes(transfer.matched_bytes + transfer.zero_bytes)} were there, ${bytes(transfer.literal_bytes)} travelled, ${bytes(Math.max(0, total - moved(transfer)))} remain of ${bytes(total)}`
    : `${bytes(moved(transfer))} so far; the size is not known yet`;
  return (
    <Bar
      label={label}
      parts={[
        { kind: 'matched', share: known ? (transfer.matched_bytes + transfer.zero_bytes) / total : 0 },
        { kind: 'literal', share: known ? transfer.literal_bytes / total : 0 },
      ]}
    />
  );
}

export function ShareText({ transfer }: { transfer: Transfer }) {
  const value = share(transfer);
  return <>{value === null ? '–' : percent(value)}</>;
}

export function endOf(transfer: Transfer): number {
  return transfer.started_ms + transfer.seconds * 1000;
}

const kStates: Record<TransferState, { icon: IconName; text: string; class: string }> = {
  active: { icon: 'play', text: 'active', class: '' },
  done: { icon: 'check', text: 'done', class: 'good' },
  failed: { icon: 'error', text: 'failed', class: 'bad' },
  cancelled: { icon: 'close', text: 'cancelled', class: 'muted' },
};

export function StateText({ transfer }: { transfer: Transfer }) {
  const state = kStates[transfer.state];
  const code = transfer.state === 'failed' && transfer.result !== null ? transfer.result : state.text;
  return (
    <span class={`with-icon ${state.class}`}>
      <Icon name={state.icon} /> {code}
    </span>
  );
}

export async function cancelTransfer(transfer: Transfer): Promise<void> {
  const confirmed = await ask({
    title: 'Cancel this transfer?',
    content: (
      <>
        <p>
          <FilePath path={transfer.path} />
        </p>
        <p>
          {transfer.op} of {transfer.account === '' ? 'a client without an account' : transfer.account}, {bytes(moved(transfer))} done in {span(transfer.seconds)}. The client is told; an upload
          that was cut off may be gone on with later.
        </p>
      </>
    ),
    confirm: 'Cancel the transfer',
    danger: true,
  });
  if (!confirmed) return;
  try {
    await remove(`/api/v1/transfers/${encodeURIComponent(transfer.id)}`);
    notify('The transfer was cancelled.');
  } catch (error) {
    notify(sentenceOf(error), true);
  }
}

export function CancelButton({ transfer }: { transfer: Transfer }) {
  const label = `Cancel ${transfer.op} of ${visible(transfer.path)}`;
  return (
    <button type="button" class="icon-button" aria-label={label} title="Cancel" onClick={() => void cancelTransfer(transfer)}>
      <Icon name="close" />
    </button>
  );
}
