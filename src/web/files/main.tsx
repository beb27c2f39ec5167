// The file pages: one page for every folder; going from one to another loads no page anew, so uploads go on.
import { render } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { DialogHost } from '../shared/dialog';
import { count, plural, visible } from '../shared/format';
import { Gate } from '../shared/gate';
import { NoticeHost } from '../shared/notice';
import { fragmentOf, kPlaces } from '../shared/places';
import { useStore } from '../shared/store';
import { TopBar } from '../shared/top_bar';
import type { Whoami } from '../shared/types';
import { showDoneUploads } from './done_uploads';
import { DropTarget } from './drop';
import { sorted, type Sorting } from './entry';
import { folder } from './folder';
import { List } from './list';
import { listing, type ListingState } from './listing';
import { clearSelection } from './selection';
import { Breadcrumb, SearchField, SelectionBar, UploadButtons } from './toolbar';
import { UploadPanel } from './upload/panel';

function note({ entries, complete, search, why }: ListingState): string {
  if (why !== '') return why;
  if (!complete) return entries.length === 0 ? 'Loading …' : `${count(entries.length)} so far, loading …`;
  return search === '' ? plural(entries.length, 'entry', 'entries') : `${plural(entries.length, 'entry', 'entries')} found below this folder`;
}

function Nothing({ state, mayWrite }: { state: ListingState; mayWrite: boolean }) {
  if (state.why !== '') {
    return (
      <p class="empty">
        {state.why}{' '}
        <button type="button" onClick={() => void listing.again()}>
          Try again
        </button>
      </p>
    );
  }
  if (state.search !== '') return <p class="empty">No name below this folder contains "{visible(state.search)}".</p>;
  return <p class="empty">{state.missing ? 'There is no such folder, or nothing is in it any more.' : 'Nothing is here yet.'} {mayWrite && 'Drop files here, or use the buttons above.'}</p>;
}

function Files({ who }: { who: Whoami }) {
  const here = useStore(folder);
  const state = useStore(listing.state);
  const [search, setSearch] = useState('');
  const [wanted, setWanted] = useState<Sorting | null>(null);

  useEffect(() => {
    clearSelection();
    setWanted(null);
    void listing.open(here, search);
    document.title = `${here.path === '' ? 'Files' : visible(here.path.split('/').at(-1) ?? '')} · Millrace`;
  }, [here, search]);

  // Folders first and by name where all came at once; a longer list must not jump under the reader when its last page comes.
  const sorting: Sorting = state.complete ? (wanted ?? { key: state.onePage ? 'name' : 'listed', falling: false }) : { key: 'listed', falling: false };
  const shown = useMemo(() => sorted(state.entries, sorting), [state.entries, state.version, sorting.key, sorting.falling]);
  const places = [...kPlaces.map(([name, label]) => ({ href: `/${fragmentOf(name)}`, label, current: false })), { href: '/files/', label: 'Files', current: true }];
  const empty = (state.complete || state.missing || state.why !== '') && state.entries.length === 0;
  return (
    <div class="files">
      <TopBar who={who} places={places} />
      <main id="main" tabIndex={-1} class="files-main">
        <h1 class="sr-only">Files</h1>
        <div class="files-head">
          <Breadcrumb folder={here} />
          <span class="muted files-note" role="status">
            {note(state)}
          </span>
          <span class="spacer" />
          <SearchField folder={here} search={setSearch} />
          {who.scope.write && <UploadButtons folder={here} />}
        </div>
        <SelectionBar folder={here} who={who} />
        {empty ? (
          <Nothing state={state} mayWrite={who.scope.write} />
        ) : (
          <List folder={state.folder} entries={shown} complete={state.complete} sorting={sorting} sort={setWanted} mayWrite={who.scope.write} mayDelete={who.scope.delete} />
        )}
      </main>
      <UploadPanel />
      {who.scope.write && <DropTarget />}
    </div>
  );
}

showDoneUploads();
const root = document.getElementById('app');
if (root !== null) {
  render(
    <>
      <Gate>{(who) => <Files who={who} />}</Gate>
      <NoticeHost />
      <DialogHost />
    </>,
    root,
  );
}
