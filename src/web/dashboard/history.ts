// What was, from the server's memory: one request every few seconds for each window that something on the page shows.
import { useEffect } from 'preact/hooks';
import { getJson } from '../shared/api';
import { Store } from '../shared/store';
import type { History, HistoryWindow, SeriesName } from '../shared/types';

class HistoryFeed {
  readonly store = new Store<History | null>(null);
  private users = 0;
  private timer = 0;
  private running = 0; // the number of the run: an answer to an earlier one is dropped

  constructor(
    private readonly name: HistoryWindow,
    private readonly everyMs: number,
  ) {}

  use(): () => void {
    this.users += 1;
    if (this.users === 1) void this.next(++this.running);
    return () => {
      this.users -= 1;
      if (this.users > 0) return;
      this.running += 1;
      clearTimeout(this.timer);
    };
  }

  private async next(run: number): Promise<void> {
    if (document.visibilityState === 'visible') {
      // A failed request is left to the next one: the live state says that the connection is lost.
      const answer = await getJson<History>(`/api/v1/history?window=${this.name}`).catch(() => null);
      if (run !== this.running) return;
      // A server that has just begun does not know an end yet.
      if (answer !== null) this.store.set(answer.end_ms > 0 ? answer : { ...answer, end_ms: Date.now() });
    }
    this.timer = window.setTimeout(() => void this.next(run), this.everyMs);
  }
}

const feeds: Record<HistoryWindow, HistoryFeed> = {
  '5m': new HistoryFeed('5m', 5000),
  '1h': new HistoryFeed('1h', 30_000),
  '24h': new HistoryFeed('24h', 60_000),
};

export function historyOf(name: HistoryWindow): Store<History | null> {
  return feeds[name].store;
}

/** Keeps a window's history up to date while the caller is shown. */
export function useHistoryUpdates(name: HistoryWindow): void {
  useEffect(() => feeds[name].use(), [name]);
}

export function known(history: History | null, name: SeriesName): number[] {
  return (history?.series[name] ?? []).filter((value): value is number => value !== null);
}
