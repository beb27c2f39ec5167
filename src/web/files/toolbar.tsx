// Where one is, what to look for, and what to do with what is chosen.
import { useEffect, useRef, useState } from 'preact/hooks';
import { plural, visible } from '../shared/format';
import { Icon, type IconName } from '../shared/icons';
import { useStore } from '../shared/store';
import type { Whoami } from '../shared/types';
import { deleteEntries, downloadEntries, moveEntries, renameEntry } from './actions';
import { addressOf, type Folder, follow, trail } from './folder';
import { clearSelection, selection } from './selection';
import { uploads } from './upload/queue';
import { chosen as chosenFiles } from './upload/walk';

const kSearchAfterMs = 250;

export function Breadcrumb({ folder }: { folder: Folder }) {
  const parts = trail(folder);
  return (
    <nav class="breadcrumb" aria-label="Folder">
      <ol>
        <li>
          <a href={addressOf('')} aria-current={parts.length === 0 ? 'page' : undefined} onClick={(event) => follow(event, '')}>
            Files
          </a>
        </li>
        {parts.map((part, index) => (
          <li key={part.raw}>
            <Icon name="next" />
            <a href={addressOf(part.raw)} aria-current={index === parts.length - 1 ? 'page' : undefined} title={visible(part.name)} onClick={(event) => follow(event, part.raw)}>
              {visible(part.name)}
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}

function Choose({ folder, folders, label, icon }: { folder: Folder; folders: boolean; label: string; icon: IconName }) {
  const input = useRef<HTMLInputElement>(null);
  const picked = (): void => {
    const list = input.current?.files;
    if (list === null || list === undefined) return;
    uploads.add(folder.path, chosenFiles(list));
    if (input.current !== null) input.current.value = '';
  };
  useEffect(() => {
    if (folders && input.current !== null) input.current.webkitdirectory = true;
  }, [folders]);
  return (
    <>
      <input ref={input} type="file" class="sr-only" multiple tabIndex={-1} aria-label={label} onChange={picked} />
      <button type="button" class="with-icon-button" onClick={() => input.current?.click()}>
        <Icon name={icon} /> {label}
      </button>
    </>
  );
}

export function UploadButtons({ folder }: { folder: Folder }) {
  return (
    <>
      <Choose folder={folder} folders={false} label="Upload files" icon="upload" />
      <Choose folder={folder} folders label="Upload folder" icon="folder" />
    </>
  );
}

export function SearchField({ folder, search }: { folder: Folder; search: (text: string) => void }) {
  const [text, setText] = useState('');
  useEffect(() => setText(''), [folder]);
  useEffect(() => {
    const timer = setTimeout(() => search(text.trim()), text === '' ? 0 : kSearchAfterMs);
    return () => clearTimeout(timer);
  }, [text]);
  const label = folder.path === '' ? 'Search all files' : 'Search below this folder';
  return <input type="search" class="filter" aria-label={label} placeholder={label} value={text} onInput={(event) => setText(event.currentTarget.value)} />;
}

export function SelectionBar({ folder, who }: { folder: Folder; who: Whoami }) {
  const { chosen } = useStore(selection);
  const entries = [...chosen];
  const [one] = entries;
  if (one === undefined) return null;
  const onlyLinks = entries.every((entry) => entry.kind === 'symlink');
  return (
    <div class="selection" role="toolbar" aria-label="What to do with the chosen entries">
      <strong>{plural(entries.length, 'chosen', 'chosen')}</strong>
      <button type="button" class="with-icon-button" disabled={onlyLinks} title={onlyLinks ? 'Links are not followed' : 'Folders come as ZIP archives'} onClick={() => downloadEntries(folder, entries)}>
        <Icon name="download" /> Download
      </button>
      {who.scope.write && (
        <>
          <button type="button" class="with-icon-button" disabled={entries.length > 1} onClick={() => void renameEntry(folder, one)}>
            <Icon name="rename" /> Rename
          </button>
          <button type="button" class="with-icon-button" onClick={() => void moveEntries(folder, entries)}>
            <Icon name="move" /> Move
          </button>
        </>
      )}
      {who.scope.delete && (
        <button type="button" class="with-icon-button danger" onClick={() => void deleteEntries(folder, entries)}>
          <Icon name="trash" /> Delete
        </button>
      )}
      <button type="button" class="icon-button" aria-label="Choose none" title="Choose none" onClick={clearSelection}>
        <Icon name="close" />
      </button>
    </div>
  );
}
