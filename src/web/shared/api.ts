// Requests to the server's API. Every failure is an ApiError with a sentence for people.
export class ApiError extends Error {
  constructor(
    readonly status: number, // 0: the server did not answer
    readonly code: string,
    sentence: string,
  ) {
    super(sentence);
  }
}

interface Problem {
  detail?: string;
  title?: string;
  code?: string;
}

/** The error that an answer's status and body say; `body` may be anything. */
export function errorOf(status: number, body: string): ApiError {
  let problem: Problem = {};
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null) problem = parsed;
  } catch {
    // A proxy's page, or nothing: the status has to do.
  }
  return new ApiError(status, problem.code ?? `HTTP_${status}`, problem.detail ?? problem.title ?? `The server answered with status ${status}.`);
}

const watchers = new Set<() => void>();

/** Calls back whenever a request was refused because nobody is logged in. */
export function onLoggedOut(watcher: () => void): void {
  watchers.add(watcher);
}

/** Somebody who uses another way than the functions here was refused. */
export function loggedOut(): void {
  for (const watcher of watchers) watcher();
}

async function request(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ?? null,
    });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new ApiError(0, 'E_NETWORK', 'The server does not answer.');
  }
  if (response.ok) return response;
  if (response.status === 401 && path !== '/api/v1/login') loggedOut();
  throw errorOf(response.status, await response.text());
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await request('GET', path, undefined, signal)).json()) as T;
}

export async function postJson<T>(path: string, body: unknown): Promise<T> {
  return (await (await request('POST', path, body)).json()) as T;
}

/** For requests whose answer says nothing but that it went well. */
export async function post(path: string, body?: unknown): Promise<void> {
  await request('POST', path, body);
}

export async function remove(path: string): Promise<void> {
  await request('DELETE', path);
}

/** A sentence for whatever was thrown. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
