// A server that keeps the contract of docs/openapi.json with made-up figures that move, and files in memory: for developing
// the pages and for their tests. Plain node. Usage: node mock.mjs [--port 8000] [--pages build/web-pages] [--accounts]
// Prints its address. With --accounts the token is 'secret'. POST /mock/... steers it from tests.
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { largeFolder, sampleTree } from './mock_files.mjs';
import { Figures } from './mock_figures.mjs';
import { Pages } from './mock_pages.mjs';

const kToken = 'secret';
const kSecurity = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'same-origin',
};

/** Starts one; `accounts` asks for a login. Ends with close(). */
export async function startMock({ port = 0, pages, accounts = false, scope = {}, files = sampleTree(), live = true }) {
  const assets = new Pages(pages);
  const figures = new Figures({ live });
  const streams = new Set();
  let refuseUploads = 0; // so many uploads fail with 503
  let refuseStreams = 0; // so many streams are answered with 503
  let throttle = 0; // milliseconds that each upload takes longer

  const json = (response, status, value, headers = {}) => {
    response.writeHead(status, { ...kSecurity, 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json', 'Cache-Control': 'no-store', ...headers });
    response.end(JSON.stringify(value));
  };
  const problem = (response, status, title, detail, code) => json(response, status, { type: 'about:blank', title, status, detail, code });
  const empty = (response, headers = {}) => {
    response.writeHead(204, { ...kSecurity, ...headers });
    response.end();
  };
  const notFound = (response, what) => problem(response, 404, 'Not Found', `There is no ${what}.`, 'E_NOT_FOUND');
  const loggedIn = (request) => !accounts || (request.headers.cookie ?? '').includes(`millrace=${kToken}`);
  const whoami = () => ({ account: accounts ? 'alice' : '', scope: { read: true, write: true, delete: true, monitor: true, prefix: '', ...scope }, accounts_required: accounts, version: '0.1.0' });
  const body = async (request) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    return Buffer.concat(parts);
  };

  function events(response) {
    if (refuseStreams > 0) {
      refuseStreams -= 1;
      return problem(response, 503, 'Service Unavailable', 'The server is starting.', 'E_BUSY');
    }
    response.writeHead(200, { ...kSecurity, 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const send = () => response.write(`event: live\ndata: ${JSON.stringify(figures.event())}\n\n`);
    response.write('retry: 1000\n\n');
    send();
    const timer = setInterval(send, 1000);
    streams.add(response);
    return response.on('close', () => {
      clearInterval(timer);
      streams.delete(response);
    });
  }

  async function filesApi(request, response, url) {
    const raw = url.pathname.slice('/api/v1/files/'.length);
    const path = decodeURIComponent(raw);
    const folder = raw === '' || raw.endsWith('/');
    if (request.method === 'GET' && folder && url.searchParams.get('archive') === 'zip') {
      response.writeHead(200, { ...kSecurity, 'Content-Type': 'application/zip', 'Content-Disposition': `attachment; filename*=UTF-8''${raw.split('/').at(-2)}.zip` });
      return response.end(Buffer.from('PK\x05\x06'.padEnd(22, '\0'))); // an empty one
    }
    if (request.method === 'GET' && folder) {
      const answer = files.list(path, { cursor: url.searchParams.get('cursor') ?? '', limit: Number(url.searchParams.get('limit') ?? 1000), search: url.searchParams.get('search') ?? '', recursive: url.searchParams.get('recursive') === '1' });
      return answer === null ? notFound(response, `folder "${path}"`) : json(response, 200, answer);
    }
    if (request.method === 'GET' || request.method === 'HEAD') {
      const file = files.get(path);
      if (file === undefined) return notFound(response, `file "${path}"`);
      response.writeHead(200, { ...kSecurity, 'Content-Type': 'application/octet-stream', ETag: `"${file.root}"`, 'Content-Length': file.bytes, ...(url.searchParams.get('download') === '1' ? { 'Content-Disposition': 'attachment' } : {}) });
      return response.end(request.method === 'HEAD' ? undefined : (file.content ?? Buffer.alloc(file.bytes)));
    }
    if (request.method === 'PUT') {
      const content = await body(request);
      if (throttle > 0) await new Promise((done) => setTimeout(done, throttle));
      if (refuseUploads > 0) {
        refuseUploads -= 1;
        return problem(response, 507, 'Insufficient Storage', 'The quota of alice is used up; delete files or ask for more.', 'E_QUOTA');
      }
      const known = files.get(path);
      if (request.headers['if-none-match'] === '*' && known !== undefined) return problem(response, 412, 'Precondition Failed', `"${path}" is there already.`, 'E_CONFLICT');
      const file = files.put(path, content, Number(request.headers['x-millrace-mtime-ms'] ?? Date.now()));
      return json(response, known === undefined ? 201 : 200, { root: file.root, bytes: file.bytes, sequence: files.sequence });
    }
    if (request.method === 'DELETE') return files.remove(path) ? empty(response) : notFound(response, `"${path}"`);
    return problem(response, 405, 'Method Not Allowed', 'This address knows GET, HEAD, PUT and DELETE.', 'E_USAGE');
  }

  async function api(request, response, url) {
    const route = `${request.method} ${url.pathname}`;
    if (route === 'POST /api/v1/login') {
      const { token } = JSON.parse(await body(request));
      if (token !== kToken) return problem(response, 401, 'Unauthorized', 'This token is not known.', 'E_NOT_AUTHENTICATED');
      return json(response, 200, whoami(), { 'Set-Cookie': `millrace=${kToken}; HttpOnly; SameSite=Strict; Path=/` });
    }
    if (!loggedIn(request)) return problem(response, 401, 'Unauthorized', 'Sign in first.', 'E_NOT_AUTHENTICATED');
    if (route === 'POST /api/v1/logout') return empty(response, { 'Set-Cookie': 'millrace=; Max-Age=0; Path=/' });
    if (route === 'GET /api/v1/whoami') return json(response, 200, whoami());
    if (route === 'GET /api/v1/status') return json(response, 200, figures.status());
    if (route === 'GET /api/v1/events') return events(response);
    if (route === 'GET /api/v1/history') return json(response, 200, figures.history(url.searchParams.get('window') ?? '5m'));
    if (route === 'GET /api/v1/transfers') return json(response, 200, figures.transfers());
    if (route === 'GET /api/v1/sessions') return json(response, 200, { sessions: figures.sessions });
    if (route === 'GET /api/v1/accounts') return json(response, 200, { accounts: figures.accounts });
    if (route === 'GET /api/v1/problems') return json(response, 200, { problems: figures.problems });
    if (request.method === 'DELETE' && url.pathname.startsWith('/api/v1/transfers/')) return figures.cancel(decodeURIComponent(url.pathname.split('/')[4])) ? empty(response) : notFound(response, 'such transfer');
    if (request.method === 'DELETE' && url.pathname.startsWith('/api/v1/sessions/')) return figures.close(Number(url.pathname.split('/')[4])) ? empty(response) : notFound(response, 'such session');
    if (route === 'POST /api/v1/move') {
      const asked = JSON.parse(await body(request));
      const from = decodeURIComponent(asked.from);
      const to = decodeURIComponent(asked.to);
      const overwrite = asked.overwrite;
      const moved = files.move(from, to, overwrite === true);
      if (moved === 'missing') return notFound(response, `"${from}"`);
      return moved === 'taken' ? problem(response, 409, 'Conflict', `"${to}" is there already.`, 'E_CONFLICT') : empty(response);
    }
    if (url.pathname.startsWith('/api/v1/files/')) return filesApi(request, response, url);
    return notFound(response, `address ${url.pathname}`);
  }

  async function mock(request, response, url) {
    const wanted = JSON.parse((await body(request)).toString() || '{}');
    if (url.pathname === '/mock/drop-streams') for (const stream of streams) stream.destroy();
    if (url.pathname === '/mock/refuse-streams') refuseStreams = wanted.count;
    if (url.pathname === '/mock/refuse-uploads') refuseUploads = wanted.count;
    if (url.pathname === '/mock/throttle') throttle = wanted.ms;
    if (url.pathname === '/mock/problem') figures.addProblem(wanted.level, wanted.text);
    return empty(response);
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://mock');
    const answer = url.pathname.startsWith('/api/') ? api(request, response, url) : url.pathname.startsWith('/mock/') ? mock(request, response, url) : assets.answer(request, response, url, kSecurity);
    Promise.resolve(answer).catch((error) => {
      // A client that leaves in the middle of its upload is nothing to report.
      if (error.code !== 'ECONNRESET' && error.message !== 'aborted') console.error(error);
      response.destroy();
    });
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    figures,
    files,
    close: () => {
      figures.stop();
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '8000' }, pages: { type: 'string', default: 'build/web-pages' }, accounts: { type: 'boolean' } } });
  const files = sampleTree();
  largeFolder(files, 'archive', 100_000);
  const mock = await startMock({ port: Number(values.port), pages: resolve(values.pages), accounts: values.accounts === true, files });
  console.log(mock.url);
}
