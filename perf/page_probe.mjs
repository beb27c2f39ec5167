// Opens a page in Chromium and says, as JSON, what it did and what it costs. A part of perf/page_cost.
// Usage: node page_probe.mjs --modules DIR --url URL (--watch SECONDS | --list FOLDER --entries N)
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({ options: { modules: { type: 'string' }, url: { type: 'string' }, watch: { type: 'string' }, list: { type: 'string' }, entries: { type: 'string' } } });
const { chromium } = createRequire(join(options.modules, 'package.json'))('playwright-core');
const kFlags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const kPatience = 60_000; // ms, for what may never happen
const kFrames = 120;

/** What the processes that draw pages have for themselves alone, in bytes: code that browsers share is not in it. */
async function privateBytes(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const own = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => [...readFileSync(`/proc/${id}/smaps_rollup`, 'utf8').matchAll(/^Private_\w+:\s+(\d+) kB$/gm)].reduce((sum, [, kib]) => sum + 1024 * Number(kib), 0));
  return Math.max(...own); // a spare one without a page may stand beside
}

async function memory(page, browser) {
  const before = await privateBytes(browser);
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  return { private_bytes: before, heap_bytes: (await session.send('Runtime.getHeapUsage')).usedSize };
}

/** The overview: when its tiles changed, in ms since the page was opened. */
async function watch(page) {
  await page.addInitScript(() => {
    globalThis.changes = [];
    new MutationObserver((records) => {
      if (records.some(({ target }) => (target.nodeType === Node.TEXT_NODE ? target.parentElement : target)?.closest('.tile'))) globalThis.changes.push(performance.now());
    }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  });
  await page.goto(options.url);
  await page.locator('.tile').first().waitFor();
  await page.waitForTimeout(2000);
  const from = await page.evaluate(() => performance.now());
  await page.waitForTimeout(1000 * Number(options.watch));
  return { changes_ms: await page.evaluate((least) => globalThis.changes.filter((at) => at >= least), from) };
}

/** A folder's page: when its first rows stood there and when all entries were known, in ms since it was asked for; then frames while it scrolls. */
async function list(page) {
  const all = `${Number(options.entries).toLocaleString('en-US')} entries`;
  await page.addInitScript((text) => {
    const look = () => {
      if (globalThis.first_ms === undefined && document.querySelector('.rows-all [role="row"]')) globalThis.first_ms = performance.now();
      if (globalThis.all_ms === undefined && document.body?.textContent.replace(/\s/g, ' ').includes(text)) globalThis.all_ms = performance.now();
      if (globalThis.all_ms === undefined) requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, all);
  await page.goto(`${options.url}files/${options.list}/`);
  await page.waitForFunction(() => globalThis.all_ms !== undefined, undefined, { timeout: kPatience });
  const scrolled = await page.locator('.rows').evaluate(async (rows, frames) => {
    const gaps = [];
    let empty = 0;
    let last = performance.now();
    for (let frame = 0; frame < frames; frame += 1) {
      rows.scrollBy(0, 700); // as by a flick: a screenful each frame
      const now = await new Promise((done) => requestAnimationFrame(done));
      gaps.push(now - last);
      last = now;
      await new Promise((done) => setTimeout(done)); // what the page draws for this frame is there now
      const middle = rows.getBoundingClientRect();
      if (!document.elementFromPoint(middle.x + middle.width / 2, middle.y + middle.height / 2)?.closest('[role="row"]')) empty += 1;
    }
    return { gaps, empty };
  }, kFrames);
  return { ...(await page.evaluate(() => ({ first_rows_ms: globalThis.first_ms, all_entries_ms: globalThis.all_ms }))), frame_ms: scrolled.gaps.slice(1), empty_frames: scrolled.empty };
}

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: kFlags });
try {
  const page = await (await browser.newContext({ viewport: { width: 1366, height: 768 } })).newPage();
  page.setDefaultTimeout(kPatience);
  const did = await (options.watch === undefined ? list(page) : watch(page));
  console.log(JSON.stringify({ ...did, ...(await memory(page, browser)) }));
} finally {
  await browser.close();
}
