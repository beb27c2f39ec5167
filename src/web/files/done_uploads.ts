// Shows finished uploads in the list, several at once: a change of a long list costs a walk through it.
import type { Entry } from './entry';
import { folder, inFolder } from './folder';
import { type Changes, listing } from './listing';
import { type Item, uploads } from './upload/queue';

const kTogetherMs = 500;
let finished: Item[] = [];
let timer = 0;

/** The entry of the shown folder that an uploaded file is, or lies in. */
function entryFor(item: Item, folderPath: string): Entry | null {
  const start = inFolder(folderPath, '');
  if (!item.path.startsWith(start)) return null;
  const rest = item.path.slice(start.length);
  const cut = rest.indexOf('/');
  const common = { under: '', raw: null, mtimeMs: item.file.lastModified };
  return cut < 0 ? { ...common, name: rest, kind: 'file', bytes: item.file.size } : { ...common, name: rest.slice(0, cut), kind: 'folder', bytes: 0 };
}

function show(): void {
  timer = 0;
  const changes: Changes = new Map();
  for (const item of finished) {
    const entry = entryFor(item, folder.get().path);
    if (entry !== null) changes.set(entry.name, entry);
  }
  finished = [];
  if (changes.size > 0) listing.apply(changes);
}

export function showDoneUploads(): void {
  uploads.onDone = (item) => {
    finished.push(item);
    if (timer === 0) timer = window.setTimeout(show, kTogetherMs);
  };
}
