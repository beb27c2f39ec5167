// Every page in both colours and both sizes: no error, nothing sticks out, no serious finding of axe, and a screenshot.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { startMock } from './mock.mjs';
import { axe, kNarrow, kWide, onlyAtRest, onlyMock, openOverview, pages, screenshots, theMock, until, withPage } from './support.mjs';

const shown = (selector) => (page) => page.locator(selector).first().waitFor();
const kPages = [
  ['overview', '/', shown('.tile')],
  ['transfers', '/#/transfers', shown('[aria-label="Recent transfers"] tbody tr, [aria-label="Recent transfers"] .empty')],
  ['sessions', '/#/sessions', shown('tbody tr')],
  ['accounts', '/#/accounts', shown('tbody tr, .empty')],
  ['storage', '/#/storage', shown('.legend-list')],
  ['performance', '/#/performance', shown('.chart-area canvas')],
  ['log', '/#/log', shown('tbody tr, .empty')],
  ['files', '/files/', shown('.rows-all [role="row"], .empty')],
];
const kMockPages = [
  ['transfer', async () => `/#/transfers/${(await theMock()).figures.active[1].id}`, shown('.detail-list')],
  ['files-hostile', '/files/hostile/', shown('.rows-all [role="row"]')],
  ['files-large', '/files/archive/', shown('.rows-all [role="row"]')],
  ['files-chosen', '/files/', (page) => page.getByRole('row', { name: /notes\.txt/ }).click()],
  [
    'files-question',
    '/files/',
    async (page) => {
      await page.getByRole('row', { name: /notes\.txt/ }).click();
      await page.getByRole('button', { name: 'Delete' }).click();
      await page.getByRole('dialog').waitFor();
    },
  ],
  [
    'files-uploads',
    '/files/projects/',
    async (page) => {
      await page.request.post('/mock/refuse-uploads', { data: { count: 1 } });
      await page.request.post('/mock/throttle', { data: { ms: 20_000 } });
      await page.locator('.rows-all [role="row"]').first().waitFor();
      const files = ['failed.txt', 'a.bin', 'b.bin', 'c.bin', 'd.bin', 'e.bin'].map((name) => ({ name, mimeType: 'text/plain', buffer: Buffer.alloc(300_000) }));
      await page.request.post('/mock/throttle', { data: { ms: 0 } });
      await page.locator('input[type="file"]').first().setInputFiles(files.slice(0, 1));
      await page.getByText('The quota of alice').waitFor();
      await page.request.post('/mock/throttle', { data: { ms: 20_000 } });
      await page.locator('input[type="file"]').first().setInputFiles(files.slice(1));
      await until('they are under way', async () => (await page.locator('[data-state="running"]').count()) === 3);
      await page.request.post('/mock/throttle', { data: { ms: 0 } });
    },
  ],
];

async function findings(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return violations
    .filter((violation) => ['serious', 'critical'].includes(violation.impact))
    .map((violation) => `${violation.id}: ${violation.help}: ${violation.nodes.map((node) => `${node.target.join(' ')} ${node.any.map((one) => one.message).join('; ')}`).slice(0, 4).join(' | ')}`);
}

async function look(page, name, scheme, size) {
  await page.waitForTimeout(700); // transitions and the first chart
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= size.width, `${name} sticks out`);
  await page.screenshot({ path: join(screenshots, `${name}-${scheme}-${size.width}.png`), fullPage: size === kNarrow });
  assert.deepEqual(await findings(page), [], `${name}, ${scheme}, ${size.width}`);
}

for (const [sizeName, size] of [
  ['wide', kWide],
  ['narrow', kNarrow],
]) {
  for (const scheme of ['light', 'dark']) {
    for (const [name, address, ready, skip] of [...kPages.map((one) => [...one, false]), ...kMockPages.map((one) => [...one, onlyMock])]) {
      test(`looks: ${name}, ${sizeName}, ${scheme}`, { skip }, () =>
        withPage(
          async (page) => {
            await page.goto(typeof address === 'string' ? address : await address());
            await ready(page);
            await look(page, name, scheme, size);
          },
          { size, scheme, expected: name === 'files-uploads' ? [/status of 507/] : [] },
        ));
    }
    test(`looks: login, ${sizeName}, ${scheme}`, { skip: onlyMock }, async () => {
      const mock = await startMock({ pages, accounts: true });
      try {
        await withPage(
          async (page) => {
            await page.goto('/');
            await page.getByRole('heading', { name: 'Sign in' }).waitFor();
            await look(page, 'login', scheme, size);
          },
          { base: mock.url, size, scheme, expected: [/status of 401/] },
        );
      } finally {
        await mock.close();
      }
    });
  }
}

/** Presses Tab until it comes round, and returns what had the focus and whether that could be seen. */
async function tabThrough(page, most = 200) {
  const seen = [];
  for (let step = 0; step < most; step += 1) {
    await page.keyboard.press('Tab');
    const now = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === null || element === document.body) return null;
      const style = getComputedStyle(element);
      element.dataset.tabbed = 'yes';
      return { name: element.getAttribute('aria-label') ?? element.textContent ?? '', outlined: style.outlineStyle !== 'none' && style.outlineWidth !== '0px' };
    });
    if (now === null) return seen;
    seen.push(now);
  }
  return seen;
}

for (const [name, open] of [
  ['overview', openOverview],
  ['files', async (page) => {
    await page.goto('/files/');
    await page.locator('.rows, .empty').first().waitFor();
  }],
]) {
  test(`keyboard: everything on ${name} is reached, and the focus can be seen`, { skip: onlyAtRest }, () =>
    withPage(async (page) => {
      await open(page);
      const seen = await tabThrough(page);
      assert.match(seen[0]?.name ?? '', /Skip to the content/);
      assert.deepEqual(seen.filter((one) => !one.outlined), []);
      const missed = await page
        .locator('a[href]:not([tabindex="-1"]), button:not(:disabled):not([tabindex="-1"]), input:not([tabindex="-1"])')
        .evaluateAll((all) => all.filter((one) => one.checkVisibility() && one.dataset.tabbed !== 'yes').map((one) => one.outerHTML.slice(0, 120)));
      assert.deepEqual(missed, []);
    }));
}

test('keyboard: the skip link leads past the bar on top, and the menu of a narrow window opens', () =>
  withPage(
    async (page) => {
      await openOverview(page);
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
      const menu = page.getByRole('button', { name: 'Places' });
      assert.equal(await menu.getAttribute('aria-expanded'), 'false');
      await menu.press('Enter');
      await page.getByRole('link', { name: 'Storage', exact: true }).press('Enter');
      await page.getByRole('heading', { name: 'Storage', level: 1 }).waitFor();
      assert.equal(await menu.getAttribute('aria-expanded'), 'false');
    },
    { size: kNarrow },
  ));
