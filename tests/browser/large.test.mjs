// Half a million records: the page opens at the newest end, goes anywhere in both directions, and holds a bounded part.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { launch, live, newTab, open, recordsOf, shot, stateOf } from './helper/browser.mjs';
import { binary, needsBinary } from './helper/environment.mjs';
import { gap, record } from './helper/incident.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

const RECORDS = 500_000;
const APART_MS = 170;
const BEGAN = Date.now() - RECORDS * APART_MS;
const GAP_AT = 250_000;
const MEMORY_MAX = 150 * 2 ** 20;
/** A page must never hold more than a part. */
const HELD_MAX = 30_000;

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {Server} */
let server;
before(async () => {
  if (needsBinary.skip) return;
  browser = await launch();
  const directory = await mkdtemp(join(tmpdir(), 'shipslog-browser-'));
  const file = join(directory, 'records.jsonl');
  const out = createWriteStream(file);
  for (let seq = 1; seq <= RECORDS; seq += 1) {
    if (!out.write(`${JSON.stringify(made(seq))}\n`)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'finish');
  await promisify(execFile)(/** @type {string} */ (binary), ['import', file, '--data-dir', join(directory, 'data')]);
  server = await Server.at(directory);
}, { timeout: 180_000 });
after(async () => {
  await browser?.close();
  await server?.close();
});

/** Nineteen of twenty are probes; an OOM in the last minute. @param {number} seq */
function made(seq) {
  const at = BEGAN + seq * APART_MS;
  if (seq === GAP_AT) return gap(seq, at - 180_000, at);
  if (seq === RECORDS - 50) return record(seq, at, 'container', 'oom', { name: 'db' });
  if (seq % 20) return record(seq, at, 'container', 'exec_die', { name: 'web', exitCode: '0' }, { marks: { noise: 'healthcheck' } });
  return record(seq, at, 'container', 'start', { name: `job-${seq}` }, { id: String(seq).padStart(64, '0') });
}

const first = async (/** @type {Page} */ page) => Number((await recordsOf(page))[0]?.split('-')[1] ?? Number.NaN);
const isSorted = (/** @type {string[]} */ ids) => ids.every((id, n) => n === 0 || Number(ids[n - 1].split('-')[1]) < Number(id.split('-')[1]));

test('a day of a busy log opens at its newest end', needsBinary, async () => {
  const { page, faultless } = await open(browser, server.base);
  await live(page);
  await page.getByRole('button', { name: '24h', exact: true }).click();
  await until('the OOM of the last minute is shown', () => page.locator('.list .row.oom').isVisible(), 90_000);
  assert.ok(await page.locator('#rail').isVisible());
  await until('the gap in the middle of it is told', async () => /may have missed 3 min/.test(await page.locator('#losses').innerText()), 90_000);
  await shot(page, 'large-range');
  faultless();
});

test('live rows go on backwards as one scrolls, and what is held is bounded', needsBinary, async () => {
  const { page, faultless } = await open(browser, server.base);
  await live(page);
  const before = await first(page);
  await page.locator('#list').hover();
  for (let turn = 0; turn < 5; turn += 1) {
    const from = await first(page);
    await until('older rows come', async () => {
      await page.mouse.wheel(0, -20_000);
      return (await first(page)) < from;
    });
  }
  assert.ok((await first(page)) < before - 2_000, `${before} to ${await first(page)}`);
  const ids = await recordsOf(page);
  assert.ok(ids.length <= HELD_MAX && isSorted(ids), String(ids.length));
  assert.equal((await stateOf(page)).missed, 0);
  faultless();
});

test('the scrollbar spans the time: anywhere is one press away, and from there on in both directions', needsBinary, async () => {
  const { page, faultless } = await open(browser, `${server.base}/?range=all`);
  await until('it spans the whole log', () => page.locator('#rail').isVisible());
  // The list gives way to lanes once.
  await until('the charts are drawn', () => page.locator('#charts[data-drawn="true"]').count());
  const { x, y, width, height } = /** @type {any} */ (await page.locator('#rail').boundingBox());
  const middle = async () => {
    const [low, high] = [await first(page), Number((await recordsOf(page)).at(-1)?.split('-')[1])];
    return low > RECORDS * 0.3 && high < RECORDS * 0.7 && low < high;
  };
  const began = Date.now();
  await page.mouse.click(x + width / 2, y + height / 2);
  await until('the middle of the time is shown', middle);
  console.log(`jumped in ${Date.now() - began} ms`);
  await shot(page, 'large-middle');
  const low = await first(page);
  await page.locator('#list').hover();
  await until('older rows come', async () => {
    await page.mouse.wheel(0, -20_000);
    return (await first(page)) < low;
  });
  const high = Number((await recordsOf(page)).at(-1)?.split('-')[1]);
  await until('newer rows come', async () => {
    await page.mouse.wheel(0, 20_000);
    return Number((await recordsOf(page)).at(-1)?.split('-')[1]) > high;
  });
  // The gap of that time is among them, whatever the filter.
  await page.locator('#losses').click();
  await until('its row is shown', () => page.locator('.list .row.loss.gap').first().isVisible());
  faultless();
});

test('a tab stays small, however far one goes', needsBinary, async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  const { page, faultless } = await newTab(context, server.base);
  await page.goto(`${server.base}/?range=all&noise=1`);
  await until('rows are shown', async () => (await recordsOf(page)).length > 0);
  await page.locator('#list').hover();
  const from = await first(page);
  await until('it has gone far', async () => {
    await page.mouse.wheel(0, -1_000_000);
    return (await first(page)) < from - 2 * HELD_MAX;
  }, 180_000);
  const session = await context.newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  console.log(`heap ${(usedSize / 2 ** 20).toFixed(0)} MiB`);
  assert.ok(usedSize < MEMORY_MAX, `${usedSize} bytes`);
  assert.ok((await recordsOf(page)).length <= HELD_MAX);
  faultless();
});

test('a filter on a gap\'s log, half a million records: the gap is a row, and two sentences say two things', needsBinary, async () => {
  const { page, faultless } = await open(browser, `${server.base}/?q=event%3Doom`);
  await live(page);
  await until('what the recorder missed is told', async () => /may have missed 3 min/.test(await page.locator('#losses').innerText()));
  assert.match(await page.locator('#proof').innerText(), /nothing missed$/);
  await until('both rows are there', async () => (await page.locator('.list .row.oom').count()) === 1 && (await page.locator('.list .row.loss.gap').count()) >= 1);
  faultless();
});
