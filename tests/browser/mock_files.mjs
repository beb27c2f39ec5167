// Files in memory: a map from path to file; folders come and go with their files.
import { createHash } from 'node:crypto';

const byPath = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
/** As the server prints names; the address has the name itself. */
const printable = (name) => name.replace(/\\/g, '\\\\');
const escaped = (path) => path.split('/').map(encodeURIComponent).join('/');

export class FileTree {
  constructor() {
    this.files = new Map();
    this.sequence = 0;
    this.listings = new Map(); // a folder's sorted entries, until something changes
  }

  add(path, bytes, mtime_ms) {
    this.listings.clear();
    this.files.set(path, { bytes, mtime_ms, root: 'ab'.repeat(32) });
  }

  put(path, content, mtime_ms) {
    this.listings.clear();
    this.sequence += 1;
    const file = { bytes: content.length, mtime_ms, root: createHash('sha256').update(content).digest('hex'), content };
    this.files.set(path, file);
    return file;
  }

  get(path) {
    return this.files.get(path);
  }

  remove(path) {
    const gone = path.endsWith('/') ? [...this.files.keys()].filter((one) => one.startsWith(path)) : this.files.has(path) ? [path] : [];
    for (const one of gone) this.files.delete(one);
    this.listings.clear();
    return gone.length > 0;
  }

  move(from, to, overwrite) {
    const pairs = [...this.files.keys()].flatMap((path) => (path === from ? [[path, to]] : path.startsWith(`${from}/`) ? [[path, to + path.slice(from.length)]] : []));
    if (pairs.length === 0) return 'missing';
    const taken = [...this.files.keys()].some((path) => path === to || path.startsWith(`${to}/`));
    if (taken && !overwrite) return 'taken';
    for (const [before, after] of pairs) {
      this.files.set(after, this.files.get(before));
      this.files.delete(before);
    }
    this.listings.clear();
    return 'moved';
  }

  entries(folder, recursive) {
    const key = `${recursive} ${folder}`;
    const known = this.listings.get(key);
    if (known !== undefined) return known;
    const found = new Map();
    for (const [path, file] of this.files) {
      if (!path.startsWith(folder)) continue;
      const cut = path.indexOf('/', folder.length);
      const inside = cut < 0 || recursive;
      const entry = inside ? path : path.slice(0, cut);
      if (!found.has(entry)) found.set(entry, inside ? { ...file, kind: 'file' } : { kind: 'folder', bytes: 0, mtime_ms: file.mtime_ms, root: null });
      if (recursive) for (let at = path.indexOf('/', folder.length); at >= 0; at = path.indexOf('/', at + 1)) if (!found.has(path.slice(0, at))) found.set(path.slice(0, at), { kind: 'folder', bytes: 0, mtime_ms: file.mtime_ms, root: null });
    }
    const entries = [...found].sort(([a], [b]) => byPath(a, b)).map(([path, { kind, bytes, mtime_ms, root }]) => ({ name: printable(path.slice(path.lastIndexOf('/') + 1)), path: printable(path), path_url: escaped(path), kind, bytes, mtime_ms, mode: 420, root }));
    this.listings.set(key, entries);
    return entries;
  }

  list(folder, { cursor, limit, search, recursive }) {
    let entries = this.entries(folder, recursive || search !== '');
    if (folder !== '' && entries.length === 0) return null;
    if (search !== '') entries = entries.filter((entry) => entry.name.toLowerCase().includes(search.toLowerCase()));
    const first = cursor === '' ? 0 : Number(cursor);
    const page = entries.slice(first, first + limit);
    return { path: folder.replace(/\/$/, ''), entries: page, next: first + limit < entries.length ? String(first + limit) : null };
  }
}

const kDay = 86_400_000;

export function sampleTree(now = Date.now()) {
  const tree = new FileTree();
  const names = ['annual report.pdf', 'budget 2026.xlsx', 'notes.txt', 'logo.svg', 'readme.md', 'photo-0042.jpg', 'interview.wav', 'backup-2026-11.tar.zst', 'database.sqlite', 'presentation.key'];
  names.forEach((name, index) => tree.add(name, 1500 * (index + 1) ** 6, now - index * index * 3 * kDay));
  tree.add('projects/millrace/src/main.cc', 1800, now - 2 * kDay);
  tree.add('projects/millrace/src/delta/chunker.cc', 14_200, now - 3 * kDay);
  tree.add('projects/millrace/README.md', 6421, now - kDay);
  tree.add('projects/old/plan.txt', 900, now - 400 * kDay);
  tree.add('photos/2025/summer/beach.jpg', 4_200_000, now - 200 * kDay);
  tree.add('photos/2026/garden.jpg', 3_100_000, now - 20 * kDay);
  tree.add('music/Grüße aus Köln.flac', 31_000_000, now - 50 * kDay);
  for (const name of ['<img src=x onerror=alert(1)>.txt', '"><script>alert(2)</script>', '100% sure? #1 & more.txt', "it's; a = 'quote'.txt", '日本語のファイル.txt', 'invoice\u202Egnp.exe', ' leading and trailing ', '%2e%2e', 'javascript:alert(3)', `${'long-'.repeat(45)}name.bin`]) tree.add(`hostile/${name}`, 1234, now - 5 * kDay);
  return tree;
}

export function largeFolder(tree, folder, count) {
  for (let index = 0; index < count; index += 1) tree.add(`${folder}/frame-${String(index).padStart(6, '0')}.dat`, 1000 + ((index * 7919) % 900_000), Date.now() - ((index * 104_729) % 1000) * kDay);
}
