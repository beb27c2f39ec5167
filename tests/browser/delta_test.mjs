// Uploads of what changed, from the page to a real server: what goes over the wire, what is stored, and what happens when the
// way between them is cut.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { rowOf } from './files_test.mjs';
import { startProxy } from './proxy.mjs';
import { onlyAtRest, real, until, withPage } from './support.mjs';

const kMiB = 1024 * 1024;
/** Whether the real server's pages have the module. Asked for within the tests: a wait between imports would let the first ones end all. */
async function hasModule() {
  if (real === undefined) return false;
  const script = /assets\/files-[A-Z0-9]+\.js/.exec(await (await fetch(`${real}/files/`)).text())?.[0];
  return script !== undefined && /assets\/upload-[A-Z0-9]+\.wasm/.test(await (await fetch(`${real}/${script}`)).text());
}

function deltaTest(name, body) {
  test(name, { skip: onlyAtRest }, async (context) => {
    if (await hasModule()) await body();
    else context.skip('needs a real server that has the module in its pages');
  });
}

const panel = (page) => page.getByRole('region', { name: 'Uploads' });
const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** A page behind a proxy, an empty folder on the server and a folder here. `body(page, proxy, choose)`. */
async function uploading(folder, body, options = {}) {
  const proxy = await startProxy(real);
  const here = mkdtempSync(join(tmpdir(), 'millrace-web-'));
  try {
    await withPage(
      async (page) => {
        const empty = () => page.request.delete(`/api/v1/files/${folder}/`, { headers: { Origin: proxy.url } });
        await empty();
        await page.request.put(`/api/v1/files/${folder}/first`, { data: 'first', headers: { Origin: proxy.url } });
        await page.goto(`/files/${folder}/`);
        await rowOf(page, 'first').waitFor();
        const choose = async (name, bytes) => {
          writeFileSync(join(here, name), bytes);
          await page.locator('input[type="file"]').first().setInputFiles(join(here, name));
        };
        await body(page, proxy, choose);
        await empty();
      },
      { base: proxy.url, ...options },
    );
  } finally {
    proxy.close();
    rmSync(here, { recursive: true });
  }
}

async function storedHash(page, path) {
  const answer = await page.request.get(`/api/v1/files/${path}`);
  assert.equal(answer.status(), 200);
  return hash(await answer.body());
}

const done = (page, count = 1) => panel(page).getByText(count === 1 ? '1\u00a0file uploaded' : `${count}\u00a0files uploaded`, { exact: true }).waitFor({ timeout: 120_000 });
const close = (page) => panel(page).getByRole('button', { name: 'Close' }).click();

function edited(bytes, edits) {
  const parts = [];
  let at = 0;
  for (let index = 0; index < edits; index += 1) {
    const next = Math.floor((bytes.length * (index + 0.5)) / edits);
    parts.push(bytes.subarray(at, next), randomBytes(100));
    at = next;
  }
  return Buffer.concat([...parts, bytes.subarray(at)]);
}

deltaTest('only what changed of a file is sent, and it arrives whole', () =>
  uploading(
    'web-test-delta',
    async (page, proxy, choose) => {
      const old = randomBytes(64 * kMiB);
      await choose('large.bin', old);
      await done(page);
      assert.ok(proxy.state.sentBytes > old.length, 'the first time it goes whole, over the WebSocket');
      assert.equal(await storedHash(page, 'web-test-delta/large.bin'), hash(old));
      await close(page);
      const before = proxy.state.sentBytes;
      const changed = edited(old, 20);
      await choose('large.bin', changed);
      await panel(page).getByText('A file of this name is there already.').waitFor();
      await panel(page).getByRole('button', { name: /Replace web-test-delta/ }).click();
      await done(page);
      await panel(page).getByText(/sent \d+(\.\d+)?\u00a0(KiB|B) of 64\.0\u00a0MiB/).waitFor();
      assert.equal(await storedHash(page, 'web-test-delta/large.bin'), hash(changed));
      const sent = proxy.state.sentBytes - before;
      assert.ok(sent < changed.length / 100, `${sent} bytes were sent`);
      assert.equal(proxy.state.opened, 1, 'all over one connection');
    },
  ));

deltaTest('an upload goes on by itself when the connection is cut', () =>
  uploading(
    'web-test-cut',
    async (page, proxy, choose) => {
      const content = randomBytes(64 * kMiB);
      proxy.state.cutAfter = 48 * kMiB;
      await choose('cut.bin', content);
      await done(page);
      assert.equal(await storedHash(page, 'web-test-cut/cut.bin'), hash(content));
      assert.equal(proxy.state.opened, 2);
      assert.ok(proxy.state.sentBytes < 100 * kMiB, `${proxy.state.sentBytes} bytes were sent`);
    },
    { expected: [/WebSocket/] },
  ));

deltaTest('an upload is paused and goes on', () =>
  uploading('web-test-hold', async (page, proxy, choose) => {
    const content = randomBytes(64 * kMiB);
    proxy.state.holdAfter = 40 * kMiB;
    await choose('held.bin', content);
    await until('a part was sent', () => proxy.state.sentBytes >= 40 * kMiB, 120);
    await panel(page).getByRole('button', { name: /^Pause web-test-hold/ }).click();
    await panel(page).getByText('paused', { exact: true }).waitFor();
    proxy.release();
    let last = -1;
    await until('nothing moves', async () => {
      const before = last;
      last = proxy.state.sentBytes;
      await page.waitForTimeout(1000);
      return before === last;
    });
    await panel(page).getByRole('button', { name: /^Go on with web-test-hold/ }).click();
    await done(page);
    assert.equal(await storedHash(page, 'web-test-hold/held.bin'), hash(content));
    assert.ok(proxy.state.sentBytes - last < 56 * kMiB, `${proxy.state.sentBytes - last} of ${content.length} bytes were sent again`);
  }));

deltaTest('where no WebSocket can be opened whole files are sent', () =>
  uploading(
    'web-test-plain',
    async (page, proxy, choose) => {
      proxy.state.refuse = true;
      const content = randomBytes(3 * kMiB);
      await choose('plain.bin', content);
      await done(page);
      assert.equal(await storedHash(page, 'web-test-plain/plain.bin'), hash(content));
      assert.equal(proxy.state.opened, 0);
    },
    { expected: [/WebSocket/] },
  ));

deltaTest('where the module cannot be loaded whole files are sent', () =>
  uploading(
    'web-test-no-module',
    async (page, proxy, choose) => {
      await page.context().route('**/assets/upload-*.wasm', (route) => route.abort());
      const content = randomBytes(kMiB);
      await choose('plain.bin', content);
      await done(page);
      assert.equal(await storedHash(page, 'web-test-no-module/plain.bin'), hash(content));
      assert.equal(proxy.state.opened, 0);
    },
    { expected: [/ERR_FAILED/] },
  ));

test('over HTTPS its line is encrypted, too', { skip: real?.startsWith('https:') ? false : 'needs a real server with TLS' }, () => {
  const here = mkdtempSync(join(tmpdir(), 'millrace-web-'));
  return withPage(async (page) => {
    const headers = { Origin: real };
    await page.request.put('/api/v1/files/web-test-tls/first', { data: 'first', headers });
    await page.goto('/files/web-test-tls/');
    await rowOf(page, 'first').waitFor();
    assert.equal(await page.evaluate(() => location.protocol), 'https:');
    const old = randomBytes(16 * kMiB);
    const changed = edited(old, 5);
    for (const content of [old, changed]) {
      writeFileSync(join(here, 'f.bin'), content);
      await page.locator('input[type="file"]').first().setInputFiles(join(here, 'f.bin'));
      if (content === changed) await panel(page).getByRole('button', { name: /Replace web-test-tls/ }).click();
      await done(page);
      assert.equal(await storedHash(page, 'web-test-tls/f.bin'), hash(content));
      if (content === old) await close(page);
    }
    await panel(page).getByText(/sent \d+(\.\d+)?\u00a0(KiB|B) of 16\.0\u00a0MiB/).waitFor();
    const { sessions } = await (await page.request.get('/api/v1/sessions')).json();
    assert.ok(sessions.some(({ kind, tls }) => kind === 'websocket' && tls), JSON.stringify(sessions));
  }).finally(() => rmSync(here, { recursive: true }));
});

deltaTest('the module is loaded with the first upload, and on the file pages only', () =>
  uploading('web-test-lazy', async (page, proxy, choose) => {
    const loaded = [];
    page.context().on('request', (request) => request.url().endsWith('.wasm') && loaded.push(request.url()));
    await page.goto('/');
    await page.getByRole('link', { name: 'Files' }).first().waitFor();
    await page.goto('/files/web-test-lazy/');
    await rowOf(page, 'first').waitFor();
    assert.deepEqual(loaded, []);
    await choose('a.txt', 'a');
    await rowOf(page, 'a.txt').waitFor();
    assert.equal(await storedHash(page, 'web-test-lazy/a.txt'), hash('a'));
  }));
