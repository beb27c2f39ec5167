import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startMock } from './mock.mjs';
import { onlyMock, pages, until, withPage } from './support.mjs';

const kRefused = [/status of 401/];

async function withAccounts(options, body) {
  const mock = await startMock({ pages, accounts: true, ...options });
  try {
    await withPage((page) => body(page, mock), { base: mock.url, expected: kRefused });
  } finally {
    await mock.close();
  }
}

async function signIn(page, token) {
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

test('with accounts the page asks for a token, says what is wrong, and signs out again', { skip: onlyMock }, () =>
  withAccounts({}, async (page) => {
    await page.goto('/');
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
    await signIn(page, 'wrong');
    await page.getByText('This token is not known.').waitFor();
    await signIn(page, 'secret');
    await page.locator('.tile').first().waitFor();
    assert.equal(await page.evaluate(() => document.cookie), '', 'scripts cannot read the cookie');
    assert.equal(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage })), '{}', 'the token is kept nowhere');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.equal(await page.locator('.tile').count(), 0);
  }));

test('a login that ended while the page was open brings the form back', { skip: onlyMock }, () =>
  withAccounts({}, async (page) => {
    await page.goto('/files/');
    await signIn(page, 'secret');
    await page.getByRole('link', { name: 'projects' }).waitFor();
    await page.context().clearCookies();
    await page.getByRole('link', { name: 'projects' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  }));

test('an account that may not watch the server is sent to its files', { skip: onlyMock }, () =>
  withAccounts({ scope: { read: false, monitor: false } }, async (page) => {
    await page.goto('/');
    await signIn(page, 'secret');
    await page.getByText('may neither read nor watch the server').waitFor();
    await page.getByRole('link', { name: 'Go to the files' }).click();
    await page.getByRole('link', { name: 'projects' }).waitFor();
  }));

test('who may only read gets no buttons that change something', { skip: onlyMock }, () =>
  withAccounts({ scope: { write: false, delete: false } }, async (page) => {
    await page.goto('/files/');
    await signIn(page, 'secret');
    await page.getByRole('row', { name: /notes.txt/ }).click();
    await until('the entry is chosen', async () => (await page.getByRole('button', { name: 'Download' }).count()) === 1);
    for (const name of ['Upload files', 'Rename', 'Move', 'Delete']) assert.equal(await page.getByRole('button', { name }).count(), 0, name);
  }));
