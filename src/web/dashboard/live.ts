// The server's live events: one connection for the whole page, whatever place is shown. Where it is lost the page says so, keeps
// the last figures and tries again; the browser does that by itself but for answers that are no stream (a restart behind a proxy).
import { refreshSession } from '../shared/session';
import { Store } from '../shared/store';
import type { LiveEvent, Metrics, Status, Transfer } from '../shared/types';
import { figure, type Selector } from './metrics';

export type Phase = 'connecting' | 'live' | 'lost';

export interface Live {
  phase: Phase;
  status: Status | null;
  transfers: Transfer[];
  problemsLastId: number;
}

export const kRateSeconds = 5; // the window of every rate on the page
const kLeastRateMs = 2500;
const kSilenceMs = 6000; // the server sends something each second
const kRetryMs = 2000;

interface Sample {
  at: number;
  metrics: Metrics;
  progress: Map<string, number>;
}

export const live = new Store<Live>({ phase: 'connecting', status: null, transfers: [], problemsLastId: 0 });
let samples: Sample[] = [];
let source: EventSource | null = null;
let watchdog = 0;
let retry = 0;

export function moved(transfer: Transfer): number {
  return transfer.matched_bytes + transfer.literal_bytes + transfer.zero_bytes;
}

function ends(): [Sample, Sample, number] | null {
  const first = samples[0];
  const last = samples.at(-1);
  return first === undefined || last === undefined || last.at <= first.at ? null : [first, last, (last.at - first.at) / 1000];
}

/** How fast a counter grew during the last seconds. Null as long as there is nothing to compare with. */
export function rateOf(wanted: Selector): number | null {
  const window = ends();
  if (window === null) return null;
  const [first, last, seconds] = window;
  return Math.max(0, ((figure(last.metrics, wanted)?.value ?? 0) - (figure(first.metrics, wanted)?.value ?? 0)) / seconds);
}

/** Bytes of the file a second, whether they travelled or were there already. Null as long as it is not known. */
export function transferRate(transfer: Transfer): number | null {
  const last = samples.at(-1);
  const first = samples.find((sample) => sample.progress.has(transfer.id));
  const before = first?.progress.get(transfer.id);
  // One step says little: a transfer that is new here shows its mean until there are a few.
  if (first === undefined || last === undefined || before === undefined || last.at - first.at < kLeastRateMs) return transfer.seconds > 0 ? moved(transfer) / transfer.seconds : null;
  return Math.max(0, (moved(transfer) - before) / ((last.at - first.at) / 1000));
}

export function secondsLeft(transfer: Transfer): number | null {
  const speed = transferRate(transfer);
  if (speed === null || speed <= 0 || transfer.total_bytes === null) return null;
  return Math.max(0, transfer.total_bytes - moved(transfer)) / speed;
}

function take(event: LiveEvent): void {
  const at = event.status.now_ms;
  const before = live.get().status;
  if (before !== null && before.started_ms !== event.status.started_ms) samples = []; // counters began anew
  samples.push({ at, metrics: event.status.metrics, progress: new Map(event.transfers.map((transfer) => [transfer.id, moved(transfer)])) });
  samples = samples.filter((sample) => at - sample.at <= kRateSeconds * 1000 + 500);
  live.set({ phase: 'live', status: event.status, transfers: event.transfers, problemsLastId: event.problems_last_id });
}

function lose(): void {
  const now = live.get();
  if (now.phase !== 'lost') live.set({ ...now, phase: 'lost' });
}

function open(): void {
  source?.close();
  clearTimeout(retry);
  const stream = new EventSource('/api/v1/events');
  source = stream;
  const heard = (): void => {
    clearTimeout(watchdog);
    watchdog = window.setTimeout(() => {
      lose();
      open();
    }, kSilenceMs);
  };
  heard();
  stream.addEventListener('live', (event: MessageEvent<string>) => {
    heard();
    take(JSON.parse(event.data) as LiveEvent);
  });
  stream.addEventListener('error', () => {
    lose();
    if (stream.readyState !== EventSource.CLOSED) return;
    // No stream came: the login may be over (whoami then says so), or the server is starting.
    clearTimeout(watchdog);
    retry = window.setTimeout(() => {
      if (source !== stream) return;
      open();
      void refreshSession();
    }, kRetryMs);
  });
}

/** Starts the stream; the returned function ends it. */
export function startLive(): () => void {
  open();
  return () => {
    source?.close();
    source = null;
    clearTimeout(watchdog);
    clearTimeout(retry);
    samples = [];
  };
}
