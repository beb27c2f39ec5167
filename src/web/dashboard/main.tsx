// The dashboard: one stream of live events, and one of seven places that show them.
import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import { DialogHost } from '../shared/dialog';
import { clock, span } from '../shared/format';
import { Gate } from '../shared/gate';
import { Icon } from '../shared/icons';
import { NoticeHost } from '../shared/notice';
import { useStore } from '../shared/store';
import { TopBar } from '../shared/top_bar';
import type { Status, Whoami } from '../shared/types';
import { Accounts } from './accounts';
import { live, type Live, startLive } from './live';
import { Log } from './log';
import { Overview } from './overview';
import { PerformancePlace } from './performance';
import { fragmentOf, kPlaces } from '../shared/places';
import { route, type Route } from './router';
import { Sessions } from './sessions';
import { StoragePlace } from './storage';
import { Transfers } from './transfers';

function ConnectionState({ now }: { now: Live }) {
  if (now.phase === 'live') {
    return (
      <span class="badge good" role="status" title={`The server runs for ${span(now.status?.uptime_seconds ?? 0)}`}>
        <span class="pulse" aria-hidden="true" /> live
      </span>
    );
  }
  return (
    <span class="badge warn" role="status">
      {now.phase === 'connecting' ? 'connecting …' : 'not live'}
    </span>
  );
}

function Place({ at, now, status }: { at: Route; now: Live; status: Status }) {
  switch (at.place) {
    case 'overview':
      return <Overview status={status} live={now} />;
    case 'transfers':
      return <Transfers live={now} route={at} />;
    case 'sessions':
      return <Sessions />;
    case 'accounts':
      return <Accounts />;
    case 'storage':
      return <StoragePlace status={status} />;
    case 'performance':
      return <PerformancePlace status={status} />;
    case 'log':
      return <Log lastId={now.problemsLastId} />;
  }
}

/** Who may not watch the server still has files. */
function NotAllowed() {
  return (
    <section class="card not-allowed">
      <h1>Not for this account</h1>
      <p>This token may neither read nor watch the server. Whoever runs it can make one that may: millraced token add NAME --scope monitor.</p>
      <p>
        <a href="/files/">Go to the files</a>
      </p>
    </section>
  );
}

function Dashboard({ who }: { who: Whoami }) {
  const allowed = !who.accounts_required || who.scope.read || who.scope.monitor;
  const now = useStore(live);
  const at = useStore(route);
  const label = kPlaces.find(([name]) => name === at.place)?.[1] ?? '';
  useEffect(() => (allowed ? startLive() : undefined), [who.account, allowed]);
  useEffect(() => {
    document.title = `${label} · Millrace`;
  }, [label]);
  const places = [...kPlaces.map(([name, text]) => ({ href: fragmentOf(name), label: text, current: name === at.place })), { href: '/files/', label: 'Files', current: false }];
  return (
    <>
      <TopBar who={who} places={places}>
        {allowed && <ConnectionState now={now} />}
      </TopBar>
      {now.phase === 'lost' && (
        <div class="lost" role="alert">
          <Icon name="warning" /> Connection lost, reconnecting …{now.status !== null && ` The figures are those of ${clock(now.status.now_ms)}.`}
        </div>
      )}
      <main id="main" tabIndex={-1} class={`place ${at.place}`}>
        {!allowed ? (
          <NotAllowed />
        ) : now.status === null ? (
          <p class="empty" aria-busy="true">
            Waiting for the first figures …
          </p>
        ) : (
          <Place at={at} now={now} status={now.status} />
        )}
      </main>
    </>
  );
}

const root = document.getElementById('app');
if (root !== null) {
  render(
    <>
      <Gate>{(who) => <Dashboard who={who} />}</Gate>
      <NoticeHost />
      <DialogHost />
    </>,
    root,
  );
}
