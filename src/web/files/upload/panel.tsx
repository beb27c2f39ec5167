// The uploads under way: all in one line, then each by name.
import { useEffect, useState } from 'preact/hooks';
import { Bar } from '../../shared/bar';
import { ask } from '../../shared/dialog';
import { bytes, count, percent, plural, rate, span, visible } from '../../shared/format';
import { Icon, type IconName } from '../../shared/icons';
import { useStore } from '../../shared/store';
import { type Item, type ItemState, type Snapshot, uploads } from './queue';

const kStates: Record<ItemState, string> = { waiting: 'waits', running: 'is sent', paused: 'paused', failed: 'failed', exists: 'is there already' };

function Action({ icon, label, run }: { icon: IconName; label: string; run: () => void }) {
  return (
    <button type="button" class="icon-button" aria-label={label} title={label} onClick={run}>
      <Icon name={icon} />
    </button>
  );
}

function Row({ item }: { item: Item }) {
  const on = (act: (item: Item) => void) => (): void => {
    const found = uploads.find(item);
    if (found !== undefined) act(found);
  };
  const share = item.file.size === 0 ? 0 : item.sent / item.file.size;
  const name = visible(item.path);
  const bad = item.state === 'failed' || item.state === 'exists';
  return (
    <li class="upload-row" data-state={item.state}>
      <span class="upload-name" title={name}>
        {name}
      </span>
      {bad ? (
        <span class={item.state === 'failed' ? 'upload-why with-icon bad' : 'upload-why with-icon warn'} title={item.why}>
          <Icon name={item.state === 'failed' ? 'error' : 'warning'} /> <span>{item.why}</span>
        </span>
      ) : (
        <>
          <Bar label={`${bytes(item.sent)} of ${bytes(item.file.size)} done`} parts={[{ kind: 'literal', share }]} />
          <span class="upload-share">{item.state !== 'running' ? kStates[item.state] : share < 1 ? percent(share) : 'is stored'}</span>
        </>
      )}
      <span class="upload-size">{bad || item.wire === 0 ? bytes(item.file.size) : `sent ${bytes(item.wire)} of ${bytes(item.file.size)}`}</span>
      <span class="upload-actions">
        {(item.state === 'running' || item.state === 'waiting') && <Action icon="pause" label={`Pause ${name}`} run={on((found) => uploads.pause(found))} />}
        {item.state === 'paused' && <Action icon="play" label={`Go on with ${name}`} run={on((found) => uploads.resume(found))} />}
        {item.state === 'failed' && <Action icon="retry" label={`Try ${name} again`} run={on((found) => uploads.retry(found))} />}
        {item.state === 'exists' && (
          <button type="button" class="small" onClick={on((found) => uploads.replace(found))}>
            Replace<span class="sr-only"> {name}</span>
          </button>
        )}
        <Action icon="close" label={bad ? `Leave ${name} out` : `Cancel ${name}`} run={on((found) => uploads.cancel(found))} />
      </span>
    </li>
  );
}

async function cancelAll(now: Snapshot): Promise<void> {
  const left = now.files - now.done;
  const confirmed = await ask({ title: 'Cancel the uploads?', content: <p>{plural(left, 'file', 'files')} will not be uploaded. What is done stays.</p>, confirm: 'Cancel the uploads', danger: true });
  if (confirmed) uploads.cancelAll();
}

async function replaceAll(now: Snapshot): Promise<void> {
  const confirmed = await ask({
    title: `Replace ${plural(now.exists, 'file', 'files')}?`,
    content: <p>Files of these names are there already. The versions that they have now go to the trash.</p>,
    confirm: 'Replace',
    danger: true,
  });
  if (confirmed) uploads.replaceAll();
}

function headline(now: Snapshot): string {
  const open = now.running + now.waiting;
  if (open > 0 && !now.allPaused) return `Uploading ${count(now.done)} of ${plural(now.files, 'file', 'files')}`;
  if (now.allPaused) return `Paused at ${count(now.done)} of ${plural(now.files, 'file', 'files')}`;
  return now.failed + now.exists > 0 ? `${plural(now.done, 'file', 'files')} uploaded, ${count(now.failed + now.exists)} not` : `${plural(now.done, 'file', 'files')} uploaded`;
}

export function UploadPanel() {
  const now = useStore(uploads.snapshot);
  const [unfolded, setUnfolded] = useState(true);
  useEffect(() => {
    const guard = (event: BeforeUnloadEvent): void => {
      if (uploads.busy()) event.preventDefault();
    };
    addEventListener('beforeunload', guard);
    return () => removeEventListener('beforeunload', guard);
  }, []);
  if (now.files === 0) return null;
  const open = now.running + now.waiting + now.paused;
  const share = now.bytes === 0 ? now.done / now.files : now.sentBytes / now.bytes;
  const left = now.bytesPerSecond > 0 && now.running > 0 ? span((now.bytes - now.sentBytes) / now.bytesPerSecond) : '';
  return (
    <section class="upload-panel" aria-label="Uploads">
      <div class="upload-head">
        <strong role="status">{headline(now)}</strong>
        <span class="muted">
          sent {bytes(now.wireBytes)} of {bytes(now.bytes)}
          {now.running > 0 && ` · ${rate(now.bytesPerSecond)}`}
          {left !== '' && ` · ${left} left`}
        </span>
        <span class="spacer" />
        {now.failed > 0 && (
          <button type="button" class="small" onClick={() => uploads.retryAll()}>
            Retry {count(now.failed)}
          </button>
        )}
        {now.exists > 0 && (
          <button type="button" class="small" onClick={() => void replaceAll(now)}>
            Replace {count(now.exists)}
          </button>
        )}
        {open > 0 &&
          (now.allPaused ? (
            <button type="button" class="small" title={uploads.resumes ? '' : 'Files that were under way begin anew'} onClick={() => uploads.resumeAll()}>
              Resume
            </button>
          ) : (
            <button type="button" class="small" title={uploads.resumes ? '' : 'Files that are under way will begin anew'} onClick={() => uploads.pauseAll()}>
              Pause
            </button>
          ))}
        {open > 0 ? (
          <button type="button" class="small" onClick={() => void cancelAll(now)}>
            Cancel
          </button>
        ) : (
          <button
            type="button"
            class="small"
            onClick={() => {
              uploads.cancelAll();
              uploads.forget();
            }}
          >
            Close
          </button>
        )}
        {now.shown.length > 0 && (
          <button type="button" class="small" aria-expanded={unfolded} onClick={() => setUnfolded(!unfolded)}>
            {unfolded ? 'Less' : 'More'}
          </button>
        )}
      </div>
      <Bar label={`${percent(share)} uploaded`} parts={[{ kind: 'literal', share }]} />
      {unfolded && now.shown.length > 0 && (
        <ul class="upload-list" tabIndex={0} aria-label="Files that are not uploaded yet">
          {now.shown.map((item) => (
            <Row key={item.id} item={item} />
          ))}
          {now.hidden > 0 && <li class="muted upload-more">and {count(now.hidden)} more</li>}
        </ul>
      )}
    </section>
  );
}
