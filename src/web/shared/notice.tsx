// One line for what just happened or went wrong; read out by screen readers, gone after a while.
import { Store, useStore } from './store';
import { Icon } from './icons';

interface Notice {
  text: string;
  bad: boolean;
}

const kSeconds = 8;
const shown = new Store<Notice | null>(null);
let timer = 0;

export function notify(text: string, bad = false): void {
  shown.set({ text, bad });
  clearTimeout(timer);
  timer = window.setTimeout(() => shown.set(null), kSeconds * 1000);
}

export function NoticeHost() {
  const notice = useStore(shown);
  return (
    <div class="notice-host" role="status" aria-live="polite">
      {notice !== null && (
        <div class={notice.bad ? 'notice bad' : 'notice'}>
          <Icon name={notice.bad ? 'error' : 'check'} />
          <span>{notice.text}</span>
          <button type="button" class="icon-button" aria-label="Close this message" onClick={() => shown.set(null)}>
            <Icon name="close" />
          </button>
        </div>
      )}
    </div>
  );
}
