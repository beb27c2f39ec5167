// A browser, a server to test against, and pages that collect what must not happen: errors, violations of the Content-Security-Policy,
// requests to anywhere else.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after } from 'node:test';
import { largeFolder, sampleTree } from './mock_files.mjs';
import { startMock } from './mock.mjs';

const build = process.env.MILLRACE_WEB_BUILD ?? 'build';
const require = createRequire(join(build, 'web-test-modules', 'package.json'));
const { chromium } = require('playwright-core');
export const axe = require('axe-core');
export const pages = join(build, 'web-pages');
export const screenshots = join(build, 'web-screenshots');
mkdirSync(screenshots, { recursive: true });

const kFlags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
export const kWide = { width: 1366, height: 768 };
export const kNarrow = { width: 390, height: 844 };

/** Where a real server is tested, what only the mock can do is left out. */
export const real = process.env.MILLRACE_WEB_URL;
export const onlyMock = real === undefined ? false : 'needs the mock server';
/** Under load there is no walking through lists: they change with every step. */
export const onlyAtRest = process.env.MILLRACE_WEB_UNDER_LOAD === undefined ? false : 'needs a server at rest';
const token = process.env.MILLRACE_WEB_TOKEN;

let mock;
export async function theMock() {
  if (mock === undefined) {
    const files = sampleTree();
    largeFolder(files, 'archive', 100_000);
    mock = await startMock({ pages, files });
  }
  return mock;
}

export async function baseUrl() {
  return real ?? (await theMock()).url;
}

let browser;
async function theBrowser() {
  browser ??= await chromium.launch({ executablePath: '/usr/bin/chromium', args: kFlags });
  return browser;
}

after(async () => {
  await browser?.close();
  await mock?.close();
});

/** Runs `body` with a page of its own, and fails on whatever the page did that it must not. */
export async function withPage(body, { size = kWide, scheme = 'light', base, expected = [] } = {}) {
  const url = base ?? (await baseUrl());
  const context = await (await theBrowser()).newContext({ viewport: size, colorScheme: scheme, baseURL: url, acceptDownloads: true, ignoreHTTPSErrors: true });
  const faults = [];
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const note = (text) => {
      if (!expected.some((pattern) => pattern.test(text))) faults.push(text);
    };
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && note(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => note(`exception: ${error.stack}`));
    page.on('request', (request) => !request.url().startsWith(url) && !request.url().startsWith('data:') && !request.url().startsWith('blob:') && note(`foreign request: ${request.url()}`));
    page.on('dialog', (dialog) => {
      if (dialog.type() !== 'beforeunload') note(`the page called ${dialog.type()}(${dialog.message()})`);
      dialog.accept().catch(() => undefined);
    });
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => console.error(`Content-Security-Policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
    });
    if (real !== undefined && token !== undefined) await context.request.post('/api/v1/login', { data: { token }, headers: { Origin: url } });
    await body(page, context);
    assert.deepEqual(faults, []);
  } finally {
    await context.close();
  }
}

/** Asks until the answer is good. The limit is only for a page that never gets there. */
export async function until(what, probe, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await probe();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

export async function openOverview(page) {
  await page.goto('/');
  await page.locator('.tile').first().waitFor();
}
