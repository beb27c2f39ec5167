// What can be done with entries. Each asks first; what fails is told by name with the reason.
import { useEffect, useState } from 'preact/hooks';
import { getJson, post, remove, sentenceOf } from '../shared/api';
import { ask } from '../shared/dialog';
import { plural, visible } from '../shared/format';
import { Icon } from '../shared/icons';
import { notify } from '../shared/notice';
import type { Listing } from '../shared/types';
import { apiOf, downloadNameOf, downloadOf, type Entry, rawNameOf, rawOf } from './entry';
import { escapePath, type Folder, folderOf, inFolder, parentOf } from './folder';
import { type Changes, listing } from './listing';
import { clearSelection } from './selection';

const kNamed = 5; // so many names stand in a question
const kDownloadsAtOnce = 20;

function Names({ entries }: { entries: Entry[] }) {
  return (
    <ul class="names">
      {entries.slice(0, kNamed).map((entry) => (
        <li key={entry.under + entry.name}>
          <Icon name={entry.kind === 'folder' ? 'folder' : 'file'} /> <span>{visible(entry.name)}</span>
        </li>
      ))}
      {entries.length > kNamed && <li class="muted">and {entries.length - kNamed} more</li>}
    </ul>
  );
}

interface Failure {
  name: string;
  why: string;
}

/** One after the other; returns those that went well. */
async function each(entries: Entry[], act: (entry: Entry) => Promise<void>, verb: string): Promise<Entry[]> {
  const failures: Failure[] = [];
  const good: Entry[] = [];
  for (const entry of entries) {
    try {
      await act(entry);
      good.push(entry);
    } catch (error) {
      failures.push({ name: entry.name, why: sentenceOf(error) });
    }
  }
  if (failures.length === 0) notify(`${plural(good.length, 'entry', 'entries')} ${verb}.`);
  else await ask({ title: `${plural(failures.length, 'entry was', 'entries were')} not ${verb}`, content: <Failures failures={failures} />, confirm: 'Understood', only: true });
  return good;
}

function Failures({ failures }: { failures: Failure[] }) {
  return (
    <ul class="names">
      {failures.map((failure) => (
        <li key={failure.name}>
          <b>{visible(failure.name)}</b>: {failure.why}
        </li>
      ))}
    </ul>
  );
}

export async function deleteEntries(folder: Folder, entries: Entry[]): Promise<void> {
  const folders = entries.filter((entry) => entry.kind === 'folder').length;
  const confirmed = await ask({
    title: `Delete ${plural(entries.length, 'entry', 'entries')}?`,
    content: (
      <>
        <Names entries={entries} />
        <p>
          {folders > 0 && 'Folders go with everything in them. '}
          What is deleted stays in the server's trash for a while.
        </p>
      </>
    ),
    confirm: 'Delete',
    danger: true,
  });
  if (!confirmed) return;
  const good = await each(entries, (entry) => remove(apiOf(folder, entry)), 'deleted');
  clearSelection();
  listing.apply(new Map(good.map((entry) => [entry.name, null])));
}

/** Both as in addresses: a name may be any bytes. */
function move(from: string, to: string): Promise<void> {
  return post('/api/v1/move', { from, to, overwrite: false });
}

function whyNoName(name: string): string {
  if (name === '') return 'A name cannot be empty.';
  if (name.includes('/')) return 'A name cannot contain "/"; use Move to put it into another folder.';
  return name === '.' || name === '..' ? `"${name}" is no name.` : '';
}

export async function renameEntry(folder: Folder, entry: Entry): Promise<void> {
  let name = entry.name;
  const confirmed = await ask({
    title: 'Rename',
    content: (
      <label class="field">
        New name
        <input type="text" value={entry.name} required autofocus spellcheck={false} onInput={(event) => (name = event.currentTarget.value)} />
      </label>
    ),
    confirm: 'Rename',
  });
  if (!confirmed || name === entry.name) return;
  const why = whyNoName(name);
  if (why !== '') {
    notify(why, true);
    return;
  }
  const to = inFolder(folder.path, entry.under + name);
  const good = await each([entry], () => move(rawOf(folder, entry), escapePath(to)), 'renamed');
  if (good.length === 0) return;
  clearSelection();
  listing.apply(
    new Map<string, Entry | null>([
      [entry.name, null],
      [name, { ...entry, name, raw: null }],
    ]),
  );
}

interface ChooserProps {
  start: Folder;
  choose: (path: string) => void;
}

/** Goes through the folders that are there; a name that is typed makes a new one, since folders come with their files. */
function FolderChooser({ start, choose }: ChooserProps) {
  const [path, setPath] = useState(start.path);
  const [folders, setFolders] = useState<string[] | null>(null);
  const [here, setHere] = useState(start.raw);
  const [why, setWhy] = useState('');
  const show = async (raw: string): Promise<void> => {
    try {
      const page = await getJson<Listing>(`/api/v1/files/${raw === '' ? '' : `${raw}/`}?limit=1000`);
      setFolders(page.entries.filter((entry) => entry.kind === 'folder').map((entry) => entry.path_url));
      setWhy('');
    } catch (error) {
      setFolders([]);
      setWhy(sentenceOf(error));
    }
  };
  const enter = (raw: string): void => {
    const next = folderOf(raw);
    setPath(next.path);
    choose(next.path);
    setHere(next.raw);
    void show(next.raw);
  };
  useEffect(() => void show(start.raw), []);
  return (
    <>
      <label class="field">
        Into the folder
        <input
          type="text"
          value={path}
          placeholder="the root folder"
          autofocus
          spellcheck={false}
          onInput={(event) => {
            setPath(event.currentTarget.value);
            choose(event.currentTarget.value);
          }}
        />
      </label>
      <div class="chooser" role="group" aria-label="Folders">
        {here !== '' && (
          <button type="button" onClick={() => enter(parentOf(here))}>
            <Icon name="up" /> <span>The folder above</span>
          </button>
        )}
        {(folders ?? []).map((raw) => (
          <button key={raw} type="button" onClick={() => enter(raw)}>
            <Icon name="folder" /> <span>{visible(folderOf(raw).path.split('/').at(-1) ?? '')}</span>
          </button>
        ))}
        {folders?.length === 0 && <p class="muted">{why || 'No further folders here.'}</p>}
      </div>
    </>
  );
}

export async function moveEntries(folder: Folder, entries: Entry[]): Promise<void> {
  let target = folder.path;
  const confirmed = await ask({
    title: `Move ${entries.length === 1 ? `"${visible(entries[0]?.name ?? '')}"` : plural(entries.length, 'entry', 'entries')}`,
    content: <FolderChooser start={folder} choose={(path) => (target = path)} />,
    confirm: 'Move here',
  });
  const into = target.replace(/^\/+|\/+$/g, '');
  if (!confirmed || into === folder.path) return;
  const good = await each(entries, (entry) => move(rawOf(folder, entry), inFolder(escapePath(into), rawNameOf(folder, entry))), 'moved');
  clearSelection();
  const changes: Changes = new Map(good.map((entry) => [entry.name, null]));
  if (good.length > 0) listing.apply(changes);
}

/** The browser saves them; each is a request of its own. */
export function downloadEntries(folder: Folder, entries: Entry[]): void {
  const wanted = entries.filter((entry) => entry.kind !== 'symlink');
  if (wanted.length > kDownloadsAtOnce) notify(`Only the first ${kDownloadsAtOnce} are downloaded; more come as one archive of the folder that holds them, or by the command "millrace download -r".`, true);
  wanted.slice(0, kDownloadsAtOnce).forEach((entry, index) => {
    setTimeout(() => {
      const link = document.createElement('a');
      link.href = downloadOf(folder, entry);
      link.download = downloadNameOf(entry);
      link.click();
    }, index * 300);
  });
}
