// The three demo pages, and the page that compares the transports.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open, shot } from './helper/browser.mjs';
import { container, lastOf } from './helper/docker.mjs';
import { needsAll } from './helper/environment.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { if (!needsAll.skip) browser = await launch(); });
after(() => browser?.close());

const READY = { sse: 'open', polling: '200', websocket: 'open' };

for (const [transport, ready] of Object.entries(READY)) {
  test(`/demo/${transport} shows events live, and goes on after a restart`, needsAll, async (t) => {
    const server = await Server.start();
    t.after(() => server.close());
    await server.connected();
    const { page, faultless } = await open(browser, `${server.base}/demo/${transport}`);
    const shows = (/** @type {string} */ text) =>
      until(`the page shows ${text}`, async () => (await page.locator('#events').innerText()).includes(text));
    await until('the page has started', async () => (await page.locator('#state').innerText()) === ready);
    await shows(`container destroy ${await container()}`);
    await server.kill();
    const meanwhile = await container();
    await server.up();
    await shows(`container destroy ${meanwhile}`);
    await shot(page, `demo-${transport}`);

    // Newest on top: from the oldest one shown, the page must hold the log without a hole.
    await server.recorded(lastOf(meanwhile));
    await until('the page holds the log', async () => {
      const stored = (await server.records()).map(({ id }) => id);
      const ids = await page.locator('#events li').evaluateAll((lines) => lines.map((line) => line.dataset.id).reverse());
      return ids.length > 0 && JSON.stringify(ids) === JSON.stringify(stored.slice(stored.indexOf(ids[0])));
    });
    faultless();
  });
}

test('/compare: after a cut all three have every record, once', needsAll, async (t) => {
  const server = await Server.start();
  t.after(() => server.close());
  await server.connected();
  const { page, faultless } = await open(browser, `${server.base}/compare?cut_ms=1500`);
  const lanes = ['sse', 'polling', 'websocket'];
  const read = async (/** @type {string} */ metric) =>
    Promise.all(lanes.map(async (lane) => Number((await page.locator(`[data-lane="${lane}"][data-metric="${metric}"]`).innerText()).replaceAll(',', ''))));
  await until('it runs', async () => (await page.locator('#phase').innerText()).startsWith('running'));
  // What happens before all three are at the head is history to them, and has no delay.
  await until('all three have seen records live', async () => {
    await container();
    return (await read('mean')).every((mean) => mean > 0);
  });
  await page.locator('#cut').click();
  await container();
  await until('the cut is over and judged', async () => (await page.locator('#verdict').innerText()) !== '');
  await container();
  await until('all three go on and agree', async () => {
    const seen = await read('records');
    const { log } = await server.json('/api/v1/events?limit=1&order=desc');
    const from = Number((await page.locator('#phase').getAttribute('data-from')) ?? Number.NaN);
    return seen.every((count) => count === log.head - from);
  });
  await shot(page, 'compare');
  assert.match(await page.locator('#verdict').innerText(), /all three have every one, once/);
  assert.deepEqual(await read('missed'), [0, 0, 0]);
  assert.deepEqual(await read('repeated'), [0, 0, 0]);
  assert.deepEqual(await read('reconnects'), [1, 1, 1]);
  assert.ok((await read('bytes')).every((bytes) => bytes > 1_000));
  await page.setViewportSize({ width: 400, height: 800 });
  await shot(page, 'compare-narrow');
  faultless();
});
