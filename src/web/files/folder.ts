// The folder that is shown: the address behind /files/, kept as it is escaped there, since a name may be no UTF-8.
import { Store } from '../shared/store';

export interface Folder {
  raw: string; // 'a%20b/c', '' for the root
  path: string; // 'a b/c', for people
}

function readable(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // the server shows bytes that are no UTF-8 escaped, too
  }
}

export function folderOf(raw: string): Folder {
  const parts = raw.split('/').filter((part) => part !== '');
  return { raw: parts.join('/'), path: parts.map(readable).join('/') };
}

function current(): Folder {
  return folderOf(location.pathname.replace(/^\/files\/?/, ''));
}

export const folder = new Store<Folder>(current());
addEventListener('popstate', () => folder.set(current()));

export function addressOf(raw: string): string {
  return raw === '' ? '/files/' : `/files/${raw}/`;
}

export function go(raw: string): void {
  history.pushState(null, '', addressOf(raw));
  folder.set(current());
}

/** Follows a link within the page, unless the click asks for a new tab. */
export function follow(event: MouseEvent, raw: string): void {
  if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(raw);
}

/** The folders from the root down to this one. */
export function trail({ raw }: Folder): { name: string; raw: string }[] {
  const parts = raw === '' ? [] : raw.split('/');
  return parts.map((part, index) => ({ name: readable(part), raw: parts.slice(0, index + 1).join('/') }));
}

export function parentOf(raw: string): string {
  return raw.slice(0, Math.max(0, raw.lastIndexOf('/')));
}

export function escapePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** In front of a name in a folder; nothing in front of one in the root. */
export function inFolder(folderPath: string, name: string): string {
  return folderPath === '' ? name : `${folderPath}/${name}`;
}
