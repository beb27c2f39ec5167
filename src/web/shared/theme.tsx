// Light or dark: as the system says, until somebody chooses; the choice is remembered.
import { Store, useStore } from './store';
import { Icon } from './icons';

export type Theme = 'light' | 'dark';
const kKey = 'millrace-theme';
const system = matchMedia('(prefers-color-scheme: dark)');

function current(): Theme {
  const chosen = document.documentElement.dataset['theme'];
  return chosen === 'dark' || chosen === 'light' ? chosen : system.matches ? 'dark' : 'light';
}

export const theme = new Store<Theme>(current());
system.addEventListener('change', () => theme.set(current()));

function choose(next: Theme): void {
  document.documentElement.dataset['theme'] = next;
  localStorage.setItem(kKey, next);
  theme.set(next);
}

export function ThemeSwitch() {
  const now = useStore(theme);
  const next: Theme = now === 'dark' ? 'light' : 'dark';
  const label = `Change to ${next} colours`;
  return (
    <button type="button" class="icon-button" aria-label={label} title={label} onClick={() => choose(next)}>
      <Icon name={next === 'dark' ? 'moon' : 'sun'} />
    </button>
  );
}
