// Shows the page to those who may see it, and the login form to all others.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { sentenceOf } from './api';
import { Icon } from './icons';
import { logIn, refreshSession, session } from './session';
import { useStore } from './store';
import { ThemeSwitch } from './theme';
import type { Whoami } from './types';

const kRetryMs = 3000;

function Login() {
  const [token, setToken] = useState('');
  const [why, setWhy] = useState('');
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setWhy('');
    try {
      await logIn(token.trim());
    } catch (error) {
      setWhy(sentenceOf(error));
      setBusy(false);
      input.current?.focus();
    }
  };
  return (
    <main class="gate">
      <form class="card login" onSubmit={submit}>
        <div class="login-head">
          <Logo />
          <ThemeSwitch />
        </div>
        <h1>Sign in</h1>
        <p class="muted">
          This server has accounts. An administrator makes tokens with <code>millraced token add NAME</code>.
        </p>
        <label for="token">Token</label>
        <input
          id="token"
          ref={input}
          type="password"
          autocomplete="current-password"
          required
          value={token}
          aria-describedby="login-error"
          aria-invalid={why !== ''}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <p id="login-error" class="form-error" role="alert">
          {why !== '' && (
            <>
              <Icon name="error" /> {why}
            </>
          )}
        </p>
        <button type="submit" class="primary" disabled={busy}>
          {busy ? 'Signing in …' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}

export function Logo() {
  return (
    <span class="logo">
      <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true" focusable="false">
        <rect width="32" height="32" rx="7" />
        <path d="M5 21c3.5 0 3.5-3 7.3-3s3.7 3 7.4 3 3.7-3 7.3-3M5 14.5c3.5 0 3.5-3 7.3-3s3.7 3 7.4 3 3.7-3 7.3-3" />
      </svg>
      Millrace
    </span>
  );
}

function Unreachable({ why }: { why: string }) {
  useEffect(() => {
    const timer = setInterval(() => void refreshSession(), kRetryMs);
    return () => clearInterval(timer);
  }, []);
  return (
    <main class="gate">
      <div class="card login" role="alert">
        <Logo />
        <h1>No connection</h1>
        <p>{why}</p>
        <p class="muted">Trying again every {kRetryMs / 1000} s.</p>
      </div>
    </main>
  );
}

export function Gate({ children }: { children: (who: Whoami) => ComponentChildren }) {
  const state = useStore(session);
  useEffect(() => void refreshSession(), []);
  if (state.phase === 'asking') return <main class="gate" aria-busy="true" />;
  if (state.phase === 'out') return <Login />;
  if (state.phase === 'unreachable') return <Unreachable why={state.why} />;
  return <>{children(state.who)}</>;
}
