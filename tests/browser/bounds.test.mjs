// What the live page shows at most, whom it tells of what is new, and how the charts are zoomed by keys.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, newTab, open } from './helper/browser.mjs';
import { needsBinary } from './helper/environment.mjs';
import { record } from './helper/incident.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

const BEGAN = Date.UTC(2025, 10, 22, 3);
const CONTAINER = 'a'.repeat(64);

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {Server} */
let server;
before(async () => {
  if (needsBinary.skip) return;
  browser = await launch();
  const attributes = (/** @type {any} */ more = {}) => ({ name: 'looper', image: 'busybox:1', ...more });
  const records = Array.from({ length: 60 }, (_, n) => [
    record(2 * n + 1, BEGAN + n * 10_000, 'container', 'start', attributes(), { id: CONTAINER }),
    record(2 * n + 2, BEGAN + n * 10_000 + 1_000, 'container', 'die', attributes({ exitCode: '1' }), { id: CONTAINER }),
  ]).flat();
  server = await Server.of(records);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** @param {number} n @param {'minor'|'notice'} severity */
const made = (n, severity) => ({
  id: `7f3c9a1e-${n + 1}c`, revision: 1, kind: 'crash', severity, state: 'closed', resolution: 'recovered', down: false, title: `job-${n} crashed`, source: 'local', subject: `job-${n}`, subjects: [{ key: `job-${n}`, role: 'root' }],
  containers: [], start: new Date(BEGAN + n * 1_000).toISOString(), end: new Date(BEGAN + n * 1_000 + 500).toISOString(), known: new Date(BEGAN).toISOString(), next_start: null, first: '7f3c9a1e-1', last: '7f3c9a1e-2',
  counts: { deaths: 1, oom: 0, unhealthy: 0, exit: {} }, cause: [], actions: [], evidence: [], evidence_more: 0, confidence: 'complete', qualified: [],
});
/** @param {Page} page @param {() => any[]} incidents that the server is said to have */
const answering = (page, incidents) => page.route(/api\/v1\/incidents\?/, (route) => route.fulfill({
  contentType: 'application/json', headers: { Date: new Date().toUTCString() },
  body: JSON.stringify({ incidents: incidents(), page: { next: null }, log: { id: '7f3c9a1e-0000', oldest: 1, head: 2 }, as_of: new Date().toISOString() }),
}));

test('of many incidents and notices so many have a row, and the others are counted', needsBinary, async () => {
  const context = await browser.newContext();
  const { page, faultless } = await newTab(context, server.base);
  await answering(page, () => [...Array.from({ length: 130 }, (_, n) => made(n, 'minor')), ...Array.from({ length: 47 }, (_, n) => made(200 + n, 'notice'))]);
  await page.goto(`${server.base}/?v=events`);
  await until('they are listed', () => page.locator('.incident-row').count());
  assert.equal(await page.locator('.incident-row').count(), 100);
  assert.equal(await page.locator('.incident-list .more').innerText(), 'and 30 more: choose a shorter range');
  assert.equal(await page.locator('.notice-line').count(), 30);
  assert.equal(await page.locator('.notices .more').innerText(), 'and 17 more');
  faultless();
});

test('of many records of an incident so many are shown, and a link leads to all', needsBinary, async () => {
  const { page, faultless } = await open(browser, `${server.base}/`);
  /** @type {Record<string, string>[]} */
  const asked = [];
  page.on('request', (request) => {
    if (/api\/v1\/events\?/.test(request.url())) asked.push(Object.fromEntries(new URL(request.url()).searchParams));
  });
  await until('the list is here', () => page.locator('.incident-row').count());
  await page.locator('.incident-row').first().click();
  await until('the evidence is here', () => page.locator('.records li').count());
  assert.equal(await page.locator('.records li').count(), 60);
  assert.match(await page.locator('.proof-of').innerText(), /All records · the first 60 are shown/);
  assert.equal(asked.find(({ filters = '' }) => filters.includes('last-words'))?.limit, '20');
  faultless();
});

test('the states of twelve services are compared, and no more', needsBinary, async () => {
  const { page, faultless } = await open(browser, `${server.base}/?v=events`);
  await page.route(/api\/v1\/incidents\/[^/]+$/, async (route) => {
    const answer = await (await route.fetch()).json();
    await route.fulfill({ json: { ...answer, subjects: Array.from({ length: 30 }, (_, n) => ({ key: `shop/s${n}`, role: 'affected' })) } });
  });
  await until('the list is here', () => page.locator('.incident-row').count());
  await page.locator('.incident-row').first().click();
  await until('the states are here', () => page.locator('.states tbody tr').count());
  assert.equal(await page.locator('.states tbody tr').count(), 12);
  faultless();
});

test('who asked for it is told of a new incident on the desktop, once, and only while looking elsewhere', needsBinary, async () => {
  const context = await browser.newContext();
  await context.grantPermissions(['notifications'], { origin: server.base });
  await context.addInitScript(() => {
    const told = /** @type {any} */ (globalThis).told = /** @type {any[]} */ ([]);
    let isAway = false;
    Object.defineProperty(document, 'hidden', { get: () => isAway });
    /** @type {any} */ (globalThis).goAway = (/** @type {boolean} */ away) => {
      isAway = away;
      document.dispatchEvent(new Event('visibilitychange'));
    };
    globalThis.Notification = class extends Notification {
      constructor(/** @type {string} */ title, /** @type {any} */ options) {
        super(title, options);
        told.push([this.title, this.body, this.tag]);
      }
    };
  });
  const { page, faultless } = await newTab(context, server.base);
  let incidents = [made(0, 'minor')];
  await answering(page, () => incidents);
  await page.goto(`${server.base}/?v=events`);
  await until('it is listed', async () => (await page.locator('.incident-row').count()) === 1);
  assert.equal(await page.evaluate(() => Notification.permission), 'granted');
  assert.ok(await page.locator('#notify').isHidden(), 'there is nothing left to ask for');
  const told = () => page.evaluate(() => /** @type {any} */ (globalThis).told);
  incidents = [made(1, 'minor'), ...incidents];
  await until('it is listed', async () => (await page.locator('.incident-row').count()) === 2);
  assert.deepEqual(await told(), [], 'whoever looks at the page sees it');
  incidents = [made(2, 'minor'), made(300, 'notice'), ...incidents];
  await page.evaluate(() => /** @type {any} */ (globalThis).goAway(true));
  await until('it is told', async () => (await told()).length > 0);
  await page.evaluate(() => /** @type {any} */ (globalThis).goAway(false));
  await until('it is listed', async () => (await page.locator('.incident-row').count()) === 3);
  assert.deepEqual(await told(), [['minor incident', 'job-2 crashed', made(2, 'minor').id]], 'a notice is none');
  faultless();
});

test('+ and - zoom around the pointer, Back leads back', needsBinary, async () => {
  const { page, faultless } = await open(browser, `${server.base}/?since=2025-11-22T03:00:00Z&until=2025-11-22T03:10:00Z`, { timezoneId: 'UTC' });
  await until('it is drawn', () => page.evaluate(() => /** @type {any} */ (document.querySelector('#charts')).dataset.drawn === 'true'));
  const box = await page.locator('.ch-lanes svg.ch-lane').first().boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + box.width / 4, box.y + 5);
  const range = () => ['since', 'until'].map((name) => Date.parse(new URL(page.url()).searchParams.get(name) ?? ''));
  const [from, end] = range();
  await page.keyboard.press('+');
  await until('it is nearer', async () => range()[1] !== end);
  const [near, nearEnd] = range();
  assert.ok(Math.abs((nearEnd - near) - (end - from) / 2) < 10, 'half as long');
  assert.ok(Math.abs((near - from) - (end - from) / 8) < 3_000, 'around the pointer');
  await page.keyboard.press('-');
  await until('it is farther', async () => range()[1] - range()[0] > nearEnd - near);
  await page.goBack();
  assert.deepEqual(range(), [near, nearEnd]);
  faultless();
});
