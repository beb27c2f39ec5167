// The list of a folder. Only the rows that can be seen exist, so a hundred thousand cost no more than fifty. The list itself has
// the keyboard's focus and names the row that it is at, since that row may not exist while it is scrolled away.
import { useEffect, useRef, useState } from 'preact/hooks';
import { bytes, clock, day, visible } from '../shared/format';
import { Icon } from '../shared/icons';
import { useStore } from '../shared/store';
import { useSize } from '../shared/use_size';
import { deleteEntries, downloadEntries, renameEntry } from './actions';
import { downloadOf, type Entry, rawOf, type SortKey, type Sorting } from './entry';
import { addressOf, type Folder, follow, go, parentOf } from './folder';
import { chooseAll, chooseOnly, chooseRange, clearSelection, moveTo, selection, toggle } from './selection';

const kRow = 34;
const kHead = 32;
const kBeyond = 8; // rows above and below those that can be seen

interface RowProps {
  folder: Folder;
  entry: Entry;
  index: number;
  chosen: boolean;
  at: boolean;
  entries: Entry[];
}

function Row({ folder, entry, index, chosen, at, entries }: RowProps) {
  const click = (event: MouseEvent): void => {
    if (event.shiftKey) chooseRange(entries, index);
    else if (event.ctrlKey || event.metaKey) toggle(entry, index);
    else chooseOnly(entry, index);
  };
  const mark = (event: MouseEvent): void => {
    event.stopPropagation();
    if (event.shiftKey) chooseRange(entries, index);
    else toggle(entry, index);
  };
  const open = (event: MouseEvent): void => {
    event.stopPropagation();
    if (entry.kind === 'folder') follow(event, rawOf(folder, entry));
  };
  const isFolder = entry.kind === 'folder';
  return (
    <div
      id={`row-${index}`}
      role="row"
      class={at ? 'row at' : 'row'}
      aria-rowindex={index + 2}
      aria-selected={chosen}
      style={{ top: `${index * kRow}px`, height: `${kRow}px` }}
      onClick={click}
      onDblClick={() => isFolder && go(rawOf(folder, entry))}
    >
      <span role="gridcell" class="cell-mark" onClick={mark}>
        <span class={chosen ? 'mark chosen' : 'mark'}>{chosen && <Icon name="check" />}</span>
      </span>
      <span role="gridcell" class="cell-name">
        <Icon name={isFolder ? 'folder' : entry.kind === 'symlink' ? 'link' : 'file'} />
        <a tabIndex={-1} href={isFolder ? addressOf(rawOf(folder, entry)) : downloadOf(folder, entry)} download={isFolder ? undefined : entry.name} title={visible(entry.under + entry.name)} onClick={open}>
          {entry.under !== '' && <span class="path-folder">{visible(entry.under)}</span>}
          <span class="entry-name">{visible(entry.name)}</span>
        </a>
      </span>
      <span role="gridcell" class="cell-size">
        {isFolder ? '–' : bytes(entry.bytes)}
      </span>
      <span role="gridcell" class="cell-time">
        {`${day(entry.mtimeMs)} ${clock(entry.mtimeMs).slice(0, 5)}`}
      </span>
    </div>
  );
}

interface HeadProps {
  title: string;
  name: SortKey;
  class: string;
  sorting: Sorting;
  sortable: boolean;
  sort: (sorting: Sorting) => void;
}

function Head({ title, name, class: className, sorting, sortable, sort }: HeadProps) {
  const here = sorting.key === name;
  return (
    <span role="columnheader" class={className} aria-sort={here ? (sorting.falling ? 'descending' : 'ascending') : undefined}>
      <button type="button" class="sort" disabled={!sortable} title={sortable ? '' : 'Can be sorted once all of the folder is loaded'} onClick={() => sort({ key: name, falling: here ? !sorting.falling : name !== 'name' })}>
        {title}
        <span aria-hidden="true">{here ? (sorting.falling ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </span>
  );
}

interface Props {
  folder: Folder;
  entries: Entry[]; // in the order that is shown
  complete: boolean;
  sorting: Sorting;
  sort: (sorting: Sorting) => void;
  mayWrite: boolean;
  mayDelete: boolean;
}

export function List({ folder, entries, complete, sorting, sort, mayWrite, mayDelete }: Props) {
  const [holder, size] = useSize<HTMLDivElement>();
  const [top, setTop] = useState(0);
  const { chosen, at } = useStore(selection);
  const frame = useRef(0);
  const first = Math.max(0, Math.floor(top / kRow) - kBeyond);
  const last = Math.min(entries.length, Math.ceil((top + size.height) / kRow) + kBeyond);

  useEffect(() => {
    if (holder.current !== null) holder.current.scrollTop = 0;
    setTop(0);
  }, [folder]);

  const scrolled = (): void => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => setTop(holder.current?.scrollTop ?? 0));
  };
  const reveal = (index: number): void => {
    const box = holder.current;
    if (box === null) return;
    if (index * kRow < box.scrollTop) box.scrollTop = index * kRow;
    else if (kHead + (index + 1) * kRow > box.scrollTop + size.height) box.scrollTop = kHead + (index + 1) * kRow - size.height;
  };
  const step = (to: number, event: KeyboardEvent): void => {
    const index = Math.max(0, Math.min(entries.length - 1, to));
    if (event.shiftKey) chooseRange(entries, index);
    else moveTo(index);
    reveal(index);
  };
  const key = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor((size.height - kHead) / kRow) - 1);
    const entry = entries[at];
    const meant = chosen.size > 0 ? [...chosen] : entry === undefined ? [] : [entry];
    const keys: Record<string, () => void> = {
      ArrowDown: () => step(at + 1, event),
      ArrowUp: () => step(at - 1, event),
      PageDown: () => step(at + page, event),
      PageUp: () => step(at - page, event),
      Home: () => step(0, event),
      End: () => step(entries.length - 1, event),
      Escape: () => clearSelection(),
      Backspace: () => go(parentOf(folder.raw)),
      Delete: () => mayDelete && meant.length > 0 && void deleteEntries(folder, meant),
      F2: () => mayWrite && entry !== undefined && void renameEntry(folder, entry),
      ' ': () => entry !== undefined && toggle(entry, at),
      a: () => (event.ctrlKey || event.metaKey) && chooseAll(entries),
      Enter: () => {
        if (entry === undefined) return;
        if (entry.kind === 'folder') go(rawOf(folder, entry));
        else downloadEntries(folder, [entry]);
      },
    };
    const act = keys[event.key];
    if (act === undefined || event.altKey || (event.key === 'a' && !event.ctrlKey && !event.metaKey)) return;
    event.preventDefault();
    act();
  };

  const rows = [];
  for (let index = first; index < last; index += 1) {
    const entry = entries[index];
    if (entry !== undefined) rows.push(<Row key={index} folder={folder} entry={entry} index={index} chosen={chosen.has(entry)} at={index === at} entries={entries} />);
  }
  return (
    <div class="list" role="grid" aria-label="Files" aria-rowcount={complete ? entries.length + 1 : -1} aria-multiselectable="true" tabIndex={0} aria-activedescendant={at >= first && at < last ? `row-${at}` : undefined} onKeyDown={key}>
      <div class="rows" role="presentation" ref={holder} onScroll={scrolled}>
        <div role="rowgroup" class="head-group">
          <div role="row" class="row head" aria-rowindex={1}>
            <span role="columnheader" class="cell-mark">
              <span class="sr-only">Chosen</span>
            </span>
            <Head title="Name" name="name" class="cell-name" sorting={sorting} sortable={complete} sort={sort} />
            <Head title="Size" name="size" class="cell-size" sorting={sorting} sortable={complete} sort={sort} />
            <Head title="Changed" name="time" class="cell-time" sorting={sorting} sortable={complete} sort={sort} />
          </div>
        </div>
        <div class="rows-all" role="rowgroup" style={{ height: `${entries.length * kRow}px` }}>
          {rows}
        </div>
      </div>
    </div>
  );
}
