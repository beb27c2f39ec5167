// Who is logged in, as the server says it.
import { ApiError, getJson, onLoggedOut, post, postJson, sentenceOf } from './api';
import { Store } from './store';
import type { Whoami } from './types';

export type SessionState =
  | { phase: 'asking' }
  | { phase: 'in'; who: Whoami }
  | { phase: 'out' }
  | { phase: 'unreachable'; why: string };

export const session = new Store<SessionState>({ phase: 'asking' });

onLoggedOut(() => session.set({ phase: 'out' }));

export async function refreshSession(): Promise<void> {
  try {
    session.set({ phase: 'in', who: await getJson<Whoami>('/api/v1/whoami') });
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) session.set({ phase: 'out' });
    // Who is in stays in while the server is away: the page keeps what it shows and says that the connection is lost.
    else if (session.get().phase !== 'in') session.set({ phase: 'unreachable', why: sentenceOf(error) });
  }
}

/** Throws an ApiError when the token is not accepted. */
export async function logIn(token: string): Promise<void> {
  session.set({ phase: 'in', who: await postJson<Whoami>('/api/v1/login', { token }) });
}

export async function logOut(): Promise<void> {
  await post('/api/v1/logout');
  await refreshSession();
}
