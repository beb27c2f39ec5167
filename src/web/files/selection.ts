// Which entries are chosen, and which one the keyboard is at.
import { Store } from '../shared/store';
import type { Entry } from './entry';

export interface Selection {
  chosen: ReadonlySet<Entry>;
  at: number; // index in the list as it is sorted
  anchor: number; // where a range begins
}

const kNone: Selection = { chosen: new Set(), at: 0, anchor: 0 };

export const selection = new Store<Selection>(kNone);

export function clearSelection(): void {
  selection.set({ ...kNone, chosen: new Set() });
}

export function chooseOnly(entry: Entry, at: number): void {
  selection.set({ chosen: new Set([entry]), at, anchor: at });
}

export function toggle(entry: Entry, at: number): void {
  const chosen = new Set(selection.get().chosen);
  if (!chosen.delete(entry)) chosen.add(entry);
  selection.set({ chosen, at, anchor: at });
}

export function chooseRange(entries: Entry[], to: number): void {
  const { anchor } = selection.get();
  selection.set({ chosen: new Set(entries.slice(Math.min(anchor, to), Math.max(anchor, to) + 1)), at: to, anchor });
}

export function chooseAll(entries: Entry[]): void {
  selection.set({ ...selection.get(), chosen: new Set(entries) });
}

export function moveTo(at: number): void {
  selection.set({ ...selection.get(), at, anchor: at });
}
