// A listed file or folder, as small as may be: a folder may have a hundred thousand.
import type { EntryKind, ListedEntry } from '../shared/types';
import { escapePath, type Folder, folderOf, inFolder } from './folder';

export interface Entry {
  name: string;
  under: string; // the folders between the listed one and the entry, with '/' at the end; '' but for found ones
  raw: string | null; // its address where escaping the path does not give it (names that are no UTF-8)
  kind: EntryKind;
  bytes: number;
  mtimeMs: number;
}

/** The address says the name's bytes; the server's `name` is already made fit to be printed and is no name to rename from. */
export function entryOf(listed: ListedEntry, folder: Folder): Entry {
  const depth = folder.raw === '' ? 0 : folder.raw.split('/').length;
  const parts = folderOf(listed.path_url).path.split('/').slice(depth);
  const name = parts.pop() ?? listed.name;
  const entry: Entry = { name, under: parts.map((part) => `${part}/`).join(''), raw: null, kind: listed.kind, bytes: listed.bytes, mtimeMs: listed.mtime_ms };
  return rawOf(folder, entry) === listed.path_url ? entry : { ...entry, raw: listed.path_url };
}

export function rawOf(folder: Folder, entry: Entry): string {
  return entry.raw ?? inFolder(folder.raw, escapePath(entry.under + entry.name));
}

export function rawNameOf(folder: Folder, entry: Entry): string {
  const raw = rawOf(folder, entry);
  return raw.slice(raw.lastIndexOf('/') + 1);
}

export function apiOf(folder: Folder, entry: Entry): string {
  return `/api/v1/files/${rawOf(folder, entry)}${entry.kind === 'folder' ? '/' : ''}`;
}

/** A folder comes as one archive. */
export function downloadOf(folder: Folder, entry: Entry): string {
  return `${apiOf(folder, entry)}?${entry.kind === 'folder' ? 'archive=zip' : 'download=1'}`;
}

export function downloadNameOf(entry: Entry): string {
  return entry.kind === 'folder' ? `${entry.name}.zip` : entry.name;
}

export type SortKey = 'listed' | 'name' | 'size' | 'time';

export interface Sorting {
  key: SortKey; // 'listed': as the server sends them, while a folder is not there in full
  falling: boolean;
}

const byName = (a: Entry, b: Entry): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
const folderFirst = (a: Entry, b: Entry): number => Number(b.kind === 'folder') - Number(a.kind === 'folder');

export function sorted(entries: Entry[], { key, falling }: Sorting): Entry[] {
  if (key === 'listed') return entries;
  const sign = falling ? -1 : 1;
  const value = (a: Entry, b: Entry): number => (key === 'size' ? a.bytes - b.bytes : key === 'time' ? a.mtimeMs - b.mtimeMs : 0);
  return entries.toSorted((a, b) => folderFirst(a, b) || sign * (value(a, b) || byName(a, b)));
}
