import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { empty, fill, rowOf } from './files_test.mjs';
import { onlyMock, until, withPage } from './support.mjs';

async function uploading(folder, body, options) {
  await withPage(async (page) => {
    await empty(page, folder);
    await fill(page, folder, ['there.txt'], 'the old content');
    await page.goto(`/files/${folder}/`);
    await rowOf(page, 'there.txt').waitFor();
    await body(page);
    await empty(page, folder);
  }, options);
}

const file = (name, content = name) => ({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(content) });
const choose = (page, files) => page.locator('input[type="file"]').first().setInputFiles(files);
const contentOf = async (page, path) => (await page.request.get(`/api/v1/files/${path}`)).text();
const panel = (page) => page.getByRole('region', { name: 'Uploads' });

/** A folder on this machine with files in folders in it. */
function localFolder() {
  const root = mkdtempSync(join(tmpdir(), 'millrace-web-'));
  const top = join(root, 'dropped');
  mkdirSync(join(top, 'inner/empty'), { recursive: true });
  for (let index = 0; index < 150; index += 1) writeFileSync(join(top, 'inner', `file-${index}.txt`), `content ${index}`);
  writeFileSync(join(top, 'top & first.txt'), 'top');
  return { root, top };
}

test('chosen files are uploaded and appear in the list', () =>
  uploading('web-test-upload', async (page) => {
    await choose(page, [file('one.txt'), file('two & three.txt'), file('<b>four.txt')]);
    for (const name of ['one.txt', 'two & three.txt', '<b>four.txt']) await rowOf(page, name).waitFor();
    await panel(page).getByText('3\u00a0files uploaded').waitFor();
    assert.equal(await contentOf(page, 'web-test-upload/two%20%26%20three.txt'), 'two & three.txt');
    await panel(page).getByRole('button', { name: 'Close' }).click();
    await panel(page).waitFor({ state: 'detached' });
  }));

test('a file that is there already is replaced only when asked for', () =>
  uploading(
    'web-test-exists',
    async (page) => {
      await choose(page, [file('there.txt', 'the new content'), file('fresh.txt')]);
      await panel(page).getByText('A file of this name is there already.').waitFor();
      assert.equal(await contentOf(page, 'web-test-exists/there.txt'), 'the old content');
      await panel(page).getByRole('button', { name: 'Replace there.txt' }).or(panel(page).getByRole('button', { name: /Replace web-test-exists/ })).first().click();
      await panel(page).getByText('2\u00a0files uploaded').waitFor();
      assert.equal(await contentOf(page, 'web-test-exists/there.txt'), 'the new content');
    },
    { expected: [/status of 412/] },
  ));

test('what failed stays by name with the reason, and is tried again', { skip: onlyMock }, () =>
  uploading(
    'web-test-fail',
    async (page) => {
      await page.request.post('/mock/refuse-uploads', { data: { count: 2 } });
      await choose(page, [file('a.txt'), file('b.txt'), file('c.txt')]);
      await panel(page).getByText('1\u00a0file uploaded, 2 not').waitFor();
      assert.equal(await panel(page).getByText('The quota of alice is used up').count(), 2);
      await panel(page).getByRole('button', { name: 'Retry 2' }).click();
      await panel(page).getByText('3\u00a0files uploaded').waitFor();
    },
    { expected: [/status of 507/] },
  ));

test('uploads are paused, go on, and are cancelled after a question', { skip: onlyMock }, () =>
  uploading(
    'web-test-pause',
    async (page) => {
      await page.request.post('/mock/throttle', { data: { ms: 700 } });
      try {
        await choose(page, Array.from({ length: 8 }, (_, index) => file(`slow-${index}.bin`)));
        await panel(page).getByText(/Uploading \d of 8/).waitFor();
        await panel(page).getByRole('button', { name: 'Pause', exact: true }).click();
        await panel(page).getByText(/Paused at \d of 8/).waitFor();
        const before = await page.locator('.upload-row').count();
        await page.waitForTimeout(1500);
        assert.equal(await page.locator('.upload-row').count(), before, 'nothing goes on');
        await panel(page).getByRole('button', { name: 'Resume', exact: true }).click();
        await panel(page).getByText(/Uploading \d of 8/).waitFor();
        await panel(page).getByRole('button', { name: 'Cancel', exact: true }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Cancel the uploads' }).click();
        await until('no row is left', async () => (await page.locator('.upload-row').count()) === 0);
      } finally {
        await page.request.post('/mock/throttle', { data: { ms: 0 } });
      }
    },
    { expected: [/status of 412/] },
  ));

test('a dropped folder is walked with everything in it', () =>
  uploading('web-test-drop', async (page) => {
    const { root, top } = localFolder();
    try {
      const session = await page.context().newCDPSession(page);
      const data = { items: [], files: [top], dragOperationsMask: 1 };
      for (const type of ['dragEnter', 'dragOver']) await session.send('Input.dispatchDragEvent', { type, x: 600, y: 400, data });
      await page.getByText('Drop to upload into').waitFor();
      await session.send('Input.dispatchDragEvent', { type: 'drop', x: 600, y: 400, data });
      await panel(page).getByText('151\u00a0files uploaded').waitFor();
      await rowOf(page, 'dropped').waitFor();
      assert.equal(await contentOf(page, 'web-test-drop/dropped/inner/file-149.txt'), 'content 149');
      assert.equal(await contentOf(page, 'web-test-drop/dropped/top%20%26%20first.txt'), 'top');
    } finally {
      rmSync(root, { recursive: true });
    }
  }));

test('a chosen folder is uploaded with its paths', () =>
  uploading('web-test-folder', async (page) => {
    const { root, top } = localFolder();
    try {
      await page.locator('input[type="file"]').nth(1).setInputFiles(top);
      await panel(page).getByText('151\u00a0files uploaded').waitFor();
      assert.equal(await contentOf(page, 'web-test-folder/dropped/inner/file-7.txt'), 'content 7');
    } finally {
      rmSync(root, { recursive: true });
    }
  }));

test('uploads go on while another folder is looked at', { skip: onlyMock }, () =>
  uploading('web-test-wander', async (page) => {
    await page.request.post('/mock/throttle', { data: { ms: 300 } });
    try {
      await choose(page, Array.from({ length: 6 }, (_, index) => file(`${index}.bin`)));
      await page.getByRole('navigation', { name: 'Folder' }).getByRole('link', { name: 'Files' }).click();
      await panel(page).getByText('6\u00a0files uploaded').waitFor();
      assert.equal(await contentOf(page, 'web-test-wander/5.bin'), '5.bin');
      assert.equal(await rowOf(page, '5.bin').count(), 0, 'they went where they were dropped');
    } finally {
      await page.request.post('/mock/throttle', { data: { ms: 0 } });
    }
  }));

test('thousands of files are uploaded a few at a time', { skip: onlyMock }, () =>
  uploading('web-test-many', async (page) => {
    let atOnce = 0;
    let most = 0;
    page.on('request', (request) => {
      if (request.method() === 'PUT') most = Math.max(most, ++atOnce);
    });
    page.on('requestfinished', (request) => request.method() === 'PUT' && (atOnce -= 1));
    const names = Array.from({ length: 2000 }, (_, index) => file(`many-${String(index).padStart(4, '0')}.txt`));
    await choose(page, names);
    await panel(page).getByText('2,000\u00a0files uploaded').waitFor({ timeout: 120_000 });
    assert.ok(most <= 4, `${most} at once`);
    await page.getByText('2,001\u00a0entries').waitFor();
  }));
