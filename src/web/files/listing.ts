// Loads a folder page by page: the first is shown at once, the others follow in the background.
import { ApiError, getJson, sentenceOf } from '../shared/api';
import { Store } from '../shared/store';
import type { Listing } from '../shared/types';
import { type Entry, entryOf } from './entry';
import type { Folder } from './folder';

export interface ListingState {
  folder: Folder;
  search: string;
  entries: Entry[]; // the same array while pages are added; `version` tells that it grew
  version: number;
  complete: boolean;
  onePage: boolean; // all of it came at once
  why: string;
  missing: boolean; // there is no such folder (or nothing in it any more)
}

const kFirstPage = 1000; // soon there
const kPage = 10_000; // each costs the server a look at all names of the folder

/** What changed under a name: the new entry, or null for one that is gone. */
export type Changes = Map<string, Entry | null>;

export class FolderListing {
  readonly state = new Store<ListingState>({ folder: { raw: '', path: '' }, search: '', entries: [], version: 0, complete: false, onePage: false, why: '', missing: false });
  private abort = new AbortController();
  private waiting: Changes = new Map();

  async open(folder: Folder, search: string): Promise<void> {
    this.abort.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.waiting = new Map();
    const entries: Entry[] = [];
    const base = `/api/v1/files/${folder.raw === '' ? '' : `${folder.raw}/`}?${search === '' ? '' : `search=${encodeURIComponent(search)}&`}limit=`;
    this.state.set({ folder, search, entries, version: 0, complete: false, onePage: false, why: '', missing: false });
    try {
      for (let cursor: string | null = '', pages = 1; cursor !== null; pages += 1) {
        const page: Listing = await getJson<Listing>(cursor === '' ? `${base}${kFirstPage}` : `${base}${kPage}&cursor=${encodeURIComponent(cursor)}`, abort.signal);
        if (abort.signal.aborted) return;
        for (const listed of page.entries) entries.push(entryOf(listed, folder));
        cursor = page.next;
        this.state.set({ ...this.state.get(), version: pages, complete: cursor === null, onePage: cursor === null && pages === 1 });
      }
      if (this.waiting.size > 0) this.apply(this.waiting);
    } catch (error) {
      if (abort.signal.aborted) return;
      const missing = error instanceof ApiError && error.status === 404;
      this.state.set({ ...this.state.get(), why: missing ? '' : sentenceOf(error), missing });
    }
  }

  again(): Promise<void> {
    const { folder, search } = this.state.get();
    return this.open(folder, search);
  }

  /** Shows changes that this page made, without asking for a large folder anew. */
  apply(changes: Changes): void {
    const state = this.state.get();
    if (state.search !== '' || state.missing) {
      void this.again();
      return;
    }
    if (!state.complete) {
      for (const [name, entry] of changes) this.waiting.set(name, entry);
      return;
    }
    const left = new Map(changes);
    const kept = state.entries.flatMap((entry) => {
      const change = left.get(entry.name);
      if (change === undefined) return [entry];
      left.delete(entry.name);
      return change === null ? [] : [change];
    });
    const added = [...left.values()].filter((entry) => entry !== null);
    const entries = [...kept, ...added];
    if (added.length > 0) entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    this.state.set({ ...state, entries, version: state.version + 1 });
  }
}

export const listing = new FolderListing();
