// The bar on top of every page: name, places, who is logged in, colours.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { sentenceOf } from './api';
import { Logo } from './gate';
import { Icon } from './icons';
import { notify } from './notice';
import { logOut } from './session';
import { ThemeSwitch } from './theme';
import type { Whoami } from './types';

export interface Place {
  href: string;
  label: string;
  current: boolean;
}

interface Props {
  who: Whoami;
  places: Place[];
  children?: ComponentChildren; // beside the account: the state of the connection
}

export function TopBar({ who, places, children }: Props) {
  const [unfolded, setUnfolded] = useState(false);
  const here = places.find((place) => place.current)?.href;
  useEffect(() => setUnfolded(false), [here]);
  const leave = (): void => {
    logOut().catch((error: unknown) => notify(sentenceOf(error), true));
  };
  return (
    <header class="top-bar">
      <a class="skip-link" href="#main" onClick={skipToMain}>
        Skip to the content
      </a>
      <a class="home" href="/" aria-label="Millrace, overview">
        <Logo />
      </a>
      <button type="button" class="icon-button menu-button" aria-label="Places" aria-expanded={unfolded} aria-controls="places" onClick={() => setUnfolded(!unfolded)}>
        <Icon name="menu" />
      </button>
      <nav id="places" class={unfolded ? 'places unfolded' : 'places'} aria-label="Places">
        {places.map((place) => (
          <a key={place.href} href={place.href} aria-current={place.current ? 'page' : undefined}>
            {place.label}
          </a>
        ))}
      </nav>
      <div class="top-right">
        {children}
        <ThemeSwitch />
        {who.accounts_required && (
          <>
            <span class="who" title="The account that is signed in">
              {who.account}
            </span>
            <button type="button" class="icon-button" aria-label="Sign out" title="Sign out" onClick={leave}>
              <Icon name="signOut" />
            </button>
          </>
        )}
      </div>
    </header>
  );
}

/** A link to #main would change the address that names the page. */
function skipToMain(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
