import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { baseUrl, onlyMock, until, withPage } from './support.mjs';

const kNames = ['<img src=x onerror=alert(1)>.txt', '"><script>alert(2)<\\script>', '100% sure? #1 & more.txt', "it's; a = 'quote'.txt", '日本語.txt', '%2e%2e', 'javascript:alert(3)', ' spaces '];

/** Files of this test alone, put there by the API, in mock and real server alike. */
export async function fill(page, folder, names, content = 'content') {
  for (const name of names) {
    const path = `${folder}/${name}`.split('/').map(encodeURIComponent).join('/');
    const answer = await page.request.put(`/api/v1/files/${path}`, { data: Buffer.from(content), headers: { Origin: await baseUrl() } });
    assert.ok(answer.ok(), `${name}: ${answer.status()}`);
  }
}

export async function empty(page, folder) {
  await page.request.delete(`/api/v1/files/${folder}/`, { headers: { Origin: await baseUrl() } });
}

export function rowOf(page, name) {
  return page.getByRole('row').filter({ has: page.getByText(name, { exact: true }) });
}

async function inFolder(folder, names, body, options) {
  await withPage(async (page) => {
    await empty(page, folder);
    await fill(page, folder, names);
    await page.goto(`/files/${folder}/`);
    await page.locator('.rows-all [role="row"]').first().waitFor();
    await body(page);
    await empty(page, folder);
  }, options);
}

test('hostile names are text and nothing else, and their links lead to them', () =>
  inFolder('web-test-names', kNames, async (page) => {
    const shown = await page.locator('.entry-name').evaluateAll((all) => all.map((one) => one.textContent));
    assert.deepEqual(shown.sort(), [...kNames].sort());
    assert.equal(await page.locator('.list img, .list script').count(), 0);
    for (const link of await page.locator('.cell-name a').evaluateAll((all) => all.map((one) => one.href))) {
      const answer = await page.request.get(link);
      assert.equal(answer.status(), 200, link);
      assert.equal(await answer.text(), 'content');
    }
  }));

test('a name that turns text around is spelled out', { skip: onlyMock }, () =>
  withPage(async (page) => {
    await page.goto('/files/hostile/');
    await page.getByText('invoice\\u202egnp.exe').waitFor();
  }));

test('folders are entered and left by links, breadcrumb and the browser', () =>
  inFolder('web-test-tree', ['a/b/deep.txt', 'a/near.txt'], async (page) => {
    await page.getByRole('link', { name: 'a', exact: true }).click();
    await page.getByText('near.txt').waitFor();
    await page.getByRole('link', { name: 'b', exact: true }).click();
    await page.getByText('deep.txt').waitFor();
    assert.match(page.url(), /\/files\/web-test-tree\/a\/b\/$/);
    await page.getByRole('navigation', { name: 'Folder' }).getByRole('link', { name: 'a', exact: true }).click();
    await page.getByText('near.txt').waitFor();
    await page.goBack();
    await page.getByText('deep.txt').waitFor();
    await page.reload();
    await page.getByText('deep.txt').waitFor();
  }));

test('a folder of 100,000 entries opens with its first page, scrolls to its end and can then be sorted', { skip: onlyMock }, () =>
  withPage(async (page) => {
    await page.goto('/files/archive/');
    await page.getByText('frame-000000.dat').waitFor();
    assert.ok((await page.locator('.rows-all [role="row"]').count()) < 100, 'only rows that can be seen exist');
    await page.getByText('100,000 entries').waitFor();
    await page.locator('.rows').evaluate((rows) => rows.scrollTo(0, rows.scrollHeight / 2));
    await page.getByText('frame-050000.dat').waitFor();
    await page.getByRole('grid').focus();
    await page.keyboard.press('End');
    await page.getByText('frame-099999.dat').waitFor();
    await page.getByRole('button', { name: 'Size' }).click();
    await page.locator('.rows').evaluate((rows) => rows.scrollTo(0, 0));
    await until('the largest is first', async () => {
      const first = await page.locator('.rows-all [role="row"]').first().innerText();
      return first.includes('frame-087852.dat');
    });
    assert.ok((await page.locator('.rows-all [role="row"]').count()) < 100);
    const session = await page.context().newCDPSession(page);
    await session.send('HeapProfiler.collectGarbage');
    const { usedSize } = await session.send('Runtime.getHeapUsage');
    assert.ok(usedSize < 40 * 1024 * 1024, `${usedSize} bytes of memory`);
  }));

test('a search looks through all folders below', () =>
  inFolder('web-test-search', ['one/needle-1.txt', 'two/three/Needle-2.txt', 'hay.txt'], async (page) => {
    await page.getByRole('searchbox').fill('needle');
    await page.getByText('2 entries found below this folder').waitFor();
    assert.deepEqual((await page.locator('.cell-name a').evaluateAll((all) => all.map((one) => one.textContent))).sort(), ['one/needle-1.txt', 'two/three/Needle-2.txt']);
    await page.getByRole('searchbox').fill('nothing like this');
    await page.getByText('No name below this folder contains').waitFor();
    await page.getByRole('searchbox').fill('');
    await page.getByText('hay.txt').waitFor();
  }));

test('an entry is renamed, and a name that is taken is refused with the reason', () =>
  inFolder(
    'web-test-rename',
    ['old.txt', 'taken.txt'],
    async (page) => {
      await rowOf(page, 'old.txt').click();
      await page.getByRole('button', { name: 'Rename' }).click();
      await page.getByLabel('New name').fill('new & better.txt');
      await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
      await rowOf(page, 'new & better.txt').waitFor();
      assert.equal(await rowOf(page, 'old.txt').count(), 0);
      await rowOf(page, 'new & better.txt').click();
      await page.getByRole('button', { name: 'Rename' }).click();
      await page.getByLabel('New name').fill('taken.txt');
      await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
      await page.getByRole('dialog').getByText('not renamed').waitFor();
      await page.getByRole('button', { name: 'Understood' }).click();
      await page.reload();
      await rowOf(page, 'new & better.txt').waitFor();
    },
    { expected: [/status of 409/] },
  ));

test('entries are moved into another folder', () =>
  inFolder('web-test-move', ['a.txt', 'b.txt', 'into/c.txt'], async (page) => {
    await rowOf(page, 'a.txt').click();
    await rowOf(page, 'b.txt').click({ modifiers: ['Control'] });
    await page.getByText('2\u00a0chosen').waitFor();
    await page.getByRole('button', { name: 'Move' }).click();
    await page.getByRole('group', { name: 'Folders' }).getByRole('button', { name: 'into' }).click();
    await until('the folder is named', async () => (await page.getByLabel('Into the folder').inputValue()) === 'web-test-move/into');
    await page.getByRole('button', { name: 'Move here' }).click();
    await rowOf(page, 'a.txt').waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'into' }).click();
    for (const name of ['a.txt', 'b.txt', 'c.txt']) await rowOf(page, name).waitFor();
  }));

test('deleting asks first, and takes folders with everything in them', () =>
  inFolder('web-test-delete', ['keep.txt', 'gone.txt', 'folder/inside.txt'], async (page) => {
    await rowOf(page, 'gone.txt').click();
    await rowOf(page, 'folder').locator('.cell-mark').click();
    await page.getByRole('button', { name: 'Delete' }).click();
    assert.match(await page.getByRole('dialog').innerText(), /gone\.txt[\s\S]*Folders go with everything in them/);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await rowOf(page, 'gone.txt').waitFor();
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await rowOf(page, 'gone.txt').waitFor({ state: 'detached' });
    await page.reload();
    await rowOf(page, 'keep.txt').waitFor();
    assert.equal(await page.locator('.rows-all [role="row"]').count(), 1);
  }));

test('the list is worked by keyboard alone', () =>
  inFolder('web-test-keys', ['a.txt', 'b.txt', 'c.txt', 'deeper/x.txt'], async (page) => {
    await page.getByRole('grid').focus();
    await page.keyboard.press('ArrowDown'); // from the folder to a.txt
    await page.keyboard.press('Space');
    await page.keyboard.press('Shift+ArrowDown');
    await page.getByText('2\u00a0chosen').waitFor();
    await page.keyboard.press('Delete');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).press('Enter');
    await rowOf(page, 'a.txt').waitFor({ state: 'detached' });
    await page.getByRole('grid').focus();
    await page.keyboard.press('End');
    await page.keyboard.press('F2');
    await page.getByLabel('New name').fill('renamed.txt');
    await page.keyboard.press('Enter');
    await rowOf(page, 'renamed.txt').waitFor();
    await page.getByRole('grid').focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('Enter');
    await rowOf(page, 'x.txt').waitFor();
    await page.getByRole('grid').focus();
    await page.keyboard.press('Backspace');
    await rowOf(page, 'renamed.txt').waitFor();
  }));

test('a file is downloaded under its name', () =>
  inFolder('web-test-download', ['data & more.txt'], async (page) => {
    await rowOf(page, 'data & more.txt').click();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download' }).click()]);
    assert.equal(download.suggestedFilename(), 'data & more.txt');
  }));

test('a folder is downloaded as an archive', () =>
  inFolder('web-test-archive', ['sub folder/one.txt', 'sub folder/two.txt'], async (page) => {
    await rowOf(page, 'sub folder').click();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download' }).click()]);
    assert.equal(download.suggestedFilename(), 'sub folder.zip');
    assert.match(download.url(), /\/web-test-archive\/sub%20folder\/\?archive=zip$/);
    assert.equal((await readFile(await download.path())).subarray(0, 2).toString(), 'PK');
  }));
