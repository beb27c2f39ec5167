import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startMock } from './mock.mjs';
import { baseUrl, kNarrow, kWide, onlyMock, openOverview, pages, theMock, until, withPage } from './support.mjs';

const kPlaces = ['transfers', 'sessions', 'accounts', 'storage', 'performance', 'log'];

/** The value that a query of a tile has in a status: a series, or the sum of those that match. */
function valueOf(metrics, query) {
  if (query in metrics) return metrics[query];
  const [, name, conditions = ''] = query.match(/^sum\((\w+)(?:\{(.*)\})?\)$/) ?? [];
  assert.ok(name, `no series: ${query}`);
  const wanted = [...conditions.matchAll(/(\w+)(!?=)"([^"]*)"/g)];
  return Object.entries(metrics)
    .filter(([series]) => series.startsWith(`${name}{`) && wanted.every(([, key, sign, value]) => series.includes(`${key}="`) && series.includes(`${key}="${value}"`) === (sign === '=')))
    .reduce((sum, [, value]) => sum + value, 0);
}

test('the overview has six tiles, and they show what the server says', () =>
  withPage(async (page) => {
    await openOverview(page);
    const status = () => page.evaluate(async () => (await (await fetch('/api/v1/status')).json()).metrics);
    const before = await status();
    await page.waitForTimeout(2500); // an event is at most a second old
    const tiles = await page.locator('.tile [data-metric]').evaluateAll((all) => all.map((one) => ({ query: one.dataset.metric, value: Number(one.dataset.value), text: one.closest('.tile').innerText })));
    const later = await status();
    assert.equal(await page.locator('.tile').count(), 6);
    assert.equal(tiles.length, 6);
    for (const { query, value, text } of tiles) {
      const [least, most] = [valueOf(before, query), valueOf(later, query)].sort((a, b) => a - b);
      if (query.includes('_total')) assert.ok(value >= least && value <= most, `${query}: ${least} <= ${value} <= ${most}`);
      else assert.ok(Number.isInteger(value) && value >= 0, `${query}: ${value}`);
      assert.match(text, /over 5 s|in 5 min/, 'each tile says its window');
    }
  }));

test('a tile shows the exact number of its series', { skip: onlyMock }, async () => {
  const still = await startMock({ pages, live: false });
  try {
    await withPage(
      async (page) => {
        await openOverview(page);
        const tiles = await page.locator('.tile [data-metric]').evaluateAll((all) => all.map((one) => [one.dataset.metric, Number(one.dataset.value)]));
        const metrics = still.figures.metrics();
        for (const [query, value] of tiles) assert.equal(value, valueOf(metrics, query), query);
        assert.deepEqual(tiles[2], ['millraced_transfer_wire_bytes_total{direction="in"}', 412_316_860_416]);
      },
      { base: still.url },
    );
  } finally {
    await still.close();
  }
});

test('the overview fits a screen of 1366 by 768 and does not overflow a narrow one', async () => {
  await withPage(async (page) => {
    await openOverview(page);
    await page.waitForTimeout(500);
    const size = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]);
    assert.deepEqual(size, [1366, 768]);
    const cut = await page.locator('.tile .figure, .tile .window').evaluateAll((all) => all.filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.innerText));
    assert.deepEqual(cut, []);
  });
  await withPage(
    async (page) => {
      await openOverview(page);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
    },
    { size: kNarrow },
  );
});

test('the chart shows one thing at a time, over the span that is chosen', () =>
  withPage(async (page) => {
    await openOverview(page);
    for (const [button, unit, lines] of [
      ['Requests', 'a second', 2],
      ['Latency', 'from request to answer', 2],
      ['Connections', 'open at a time', 2],
      ['Throughput', 'bytes a second on the wire', 3],
    ]) {
      await page.getByRole('button', { name: button, exact: true }).click();
      assert.match(await page.locator('.history-chart h2').innerText(), new RegExp(`${button}.*${unit}`));
      assert.equal(await page.getByRole('button', { name: button, exact: true }).getAttribute('aria-pressed'), 'true');
      assert.equal(await page.locator('.legend-item').count(), lines);
    }
    for (const span of ['1 h', '24 h', '5 min']) {
      const asked = page.waitForResponse((response) => response.url().includes('/api/v1/history'));
      await page.getByRole('button', { name: span, exact: true }).click();
      await asked;
      await until(`the chart says ${span}`, async () => (await page.locator('.chart-area').getAttribute('aria-label')).includes(`last ${span}`));
    }
    const drawn = await until('something is drawn', () =>
      page.locator('.chart-area canvas').evaluate((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.some((value) => value !== 0);
      }),
    );
    assert.ok(drawn);
  }));

test('each place has its heading and no error', () =>
  withPage(async (page) => {
    await openOverview(page);
    for (const place of kPlaces) {
      await page.locator('#places').getByRole('link', { name: place, exact: false }).click();
      await until(`the place ${place}`, async () => (await page.locator('h1').innerText()).toLowerCase() === place);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), kWide.width, place);
      await until(`the title of ${place}`, async () => (await page.title()).toLowerCase().includes(place));
    }
  }));

test('cancelling a transfer asks first', { skip: onlyMock }, () =>
  withPage(async (page) => {
    const { figures } = await theMock();
    await openOverview(page);
    const row = page.locator('[data-transfer]').first();
    const id = await row.getAttribute('data-transfer');
    await row.getByRole('button', { name: /^Cancel/ }).click();
    await page.getByRole('dialog').getByText('Cancel this transfer?').waitFor();
    await page.getByRole('button', { name: 'Keep as it is' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    assert.ok(figures.active.some((transfer) => transfer.id === id));
    await page.locator(`[data-transfer="${id}"]`).getByRole('button', { name: /^Cancel/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the transfer' }).click();
    await page.locator(`[data-transfer="${id}"]`).waitFor({ state: 'detached' });
    assert.ok(!figures.active.some((transfer) => transfer.id === id));
  }));

test('a transfer can be looked at in detail', { skip: onlyMock }, () =>
  withPage(async (page) => {
    const { figures } = await theMock();
    const [transfer] = figures.active;
    await page.goto(`/#/transfers/${transfer.id}`);
    const detail = page.getByRole('region', { name: 'Transfer in detail' });
    await detail.getByText(transfer.path).first().waitFor();
    assert.match(await detail.innerText(), /Matched \(was there\)/);
    await detail.getByRole('link', { name: 'Close' }).click();
    await detail.waitFor({ state: 'detached' });
  }));

test('closing a session asks first, and lists are filtered, sorted and paged', { skip: onlyMock }, () =>
  withPage(async (page) => {
    const { figures } = await theMock();
    await page.goto('/#/sessions');
    await page.getByText('1 to 100 of').waitFor();
    await page.getByRole('button', { name: 'Further rows' }).click();
    await page.getByText('101 to').waitFor();
    await page.getByRole('searchbox').fill('192.0.2.13:40001');
    await until('one row is left', async () => (await page.locator('tbody tr').count()) === 1);
    await page.getByRole('button', { name: 'Close session 4001 of 192.0.2.13:40001' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Close the session' }).click();
    await until('the session is gone', () => !figures.sessions.some((session) => session.id === 4001));
    await page.getByRole('searchbox').fill('');
    await page.getByRole('button', { name: 'In', exact: true }).click();
    await until('sorted by what came in', async () => (await page.locator('th[aria-sort="descending"]').innerText()).startsWith('In'));
  }));

test('a new problem comes by itself, and its text is text', { skip: onlyMock }, () =>
  withPage(async (page) => {
    await page.goto('/#/log');
    await page.locator('tbody tr').first().waitFor();
    const text = '<b>bold</b><img src=x onerror=alert(1)> \u202Eover';
    await page.request.post('/mock/problem', { data: { level: 'error', text } });
    await until('the problem is shown', async () => (await page.locator('tbody tr').first().innerText()).includes('<b>bold</b><img src=x onerror=alert(1)> \\u202eover'));
    assert.equal(await page.locator('tbody img, tbody b').count(), 0);
  }));

test('a lost connection is said, and the page goes on when the server is back', { skip: onlyMock }, async () => {
  const first = await startMock({ pages });
  const port = Number(new URL(first.url).port);
  let second;
  try {
    await withPage(
      async (page) => {
        await openOverview(page);
        await page.getByText('live', { exact: true }).waitFor();
        await first.close();
        await page.getByText('Connection lost, reconnecting').waitFor();
        assert.equal(await page.locator('.tile').count(), 6, 'the last figures stay');
        second = await startMock({ pages, port });
        await page.getByText('Connection lost, reconnecting').waitFor({ state: 'detached' });
        await page.getByText('live', { exact: true }).waitFor();
      },
      { base: first.url, expected: [/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/] },
    );
  } finally {
    await second?.close();
  }
});

test('answers that are no stream do not end the page either', { skip: onlyMock }, () =>
  withPage(
    async (page) => {
      await openOverview(page);
      await page.request.post('/mock/refuse-streams', { data: { count: 2 } });
      await page.request.post('/mock/drop-streams');
      await page.getByText('Connection lost, reconnecting').waitFor();
      await page.getByText('Connection lost, reconnecting').waitFor({ state: 'detached' });
      assert.equal(await page.locator('.tile').count(), 6);
    },
    { expected: [/ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|status of 503/] },
  ));

test('the colours that are chosen are remembered', () =>
  withPage(async (page) => {
    await openOverview(page);
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await ground();
    await page.getByRole('button', { name: 'Change to dark colours' }).click();
    const dark = await ground();
    assert.notEqual(dark, light);
    await page.reload();
    assert.equal(await ground(), dark);
  }));

test('pages and assets come with the headers that they must have', async () => {
  const base = await baseUrl();
  for (const path of ['/', '/files/', '/files/a%20b/c']) {
    const response = await fetch(base + path);
    assert.equal(response.status, 200, path);
    const html = await response.text();
    assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'/);
    assert.doesNotMatch(html, /<style|style=|<script>|onload=/);
    for (const [, asset] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
      assert.match(asset, /^\/assets\/[a-z-]+-[A-Z0-9]{8}\.(js|css|svg|txt)$/);
      const answer = await fetch(base + asset);
      assert.equal(answer.status, 200, asset);
      assert.match(answer.headers.get('cache-control') ?? '', /immutable/, asset);
    }
  }
});
