// What the live page loads before anybody touches it, and what comes later.

import assert from 'node:assert/strict';
import { get } from 'node:http';
import { after, before, test } from 'node:test';
import { launch, open } from './helper/browser.mjs';
import { needsBinary } from './helper/environment.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** Bytes of scripts and styles, as brotli has them: before anybody touches the page, and all. */
const MAX_FIRST = 76_600;
const MAX_ALL = 99_400;
/** What comes later. */
const LATE = ['incident-drawer.js', 'evidence.js', 'diff.js', 'timeline.js', 'headline.js', 'tried.js', 'neighbours.js', 'unsaid.js', 'report-link.js', 'fleet.js', 'fleet.css', 'incident.css', 'drawer.js', 'words.js', 'message.js', 'replaybar.js', 'replay.js', 'commands.js', 'outs.js', 'clipboard.js'];

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  if (needsBinary.skip) return;
  browser = await launch();
});
after(() => browser?.close());

/** @param {string} address @returns {Promise<number>} bytes on the wire */
const size = (address) => new Promise((resolve, reject) => {
  get(address, { headers: { 'Accept-Encoding': 'br' } }, (response) => {
    let bytes = 0;
    assert.equal(response.headers['content-encoding'], 'br', address);
    response.on('data', (chunk) => { bytes += chunk.length; }).on('end', () => resolve(bytes));
  }).on('error', reject);
});
/** @param {Page} page @returns {Promise<string[]>} addresses of scripts and styles that it has asked for */
const parts = async (page) => {
  const all = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name));
  return [...new Set(all.filter((name) => /\.(js|css)$/.test(name)))];
};
const names = (/** @type {string[]} */ all) => all.map((each) => each.slice(each.lastIndexOf('/') + 1));
const sum = async (/** @type {string[]} */ all) => (await Promise.all(all.map(size))).reduce((a, b) => a + b, 0);
/** Parts of the worker, which a page does not tell of. @param {string[]} all */
const withWorker = (all) => [...all, ...['worker.js', 'hub.js'].map((name) => new URL(name, all[0]).href)];

test('what a person asks for comes with the first sign of one, and not before', needsBinary, async (t) => {
  const quiet = await Server.recording('day-a');
  t.after(() => quiet.close());
  const { page, faultless } = await open(browser, `${quiet.base}/?v=events`);
  await until('the list is here', () => page.locator('.incident-row').count());
  await until('all that comes has come', () => page.evaluate(() => /** @type {any} */ (document.querySelector('#charts')).dataset.drawn === 'true'));
  const first = await parts(page);
  assert.deepEqual(names(first).filter((name) => LATE.includes(name)), []);
  const before = await sum(withWorker(first));
  assert.ok(before < MAX_FIRST, `${before} bytes`);
  await page.mouse.move(300, 300);
  await until('the rest has come', async () => {
    const now = names(await parts(page));
    return LATE.every((name) => now.includes(name));
  });
  const all = await sum(withWorker(await parts(page)));
  t.diagnostic(`scripts and styles, brotli: ${before} bytes before anybody touches the page, ${all} in all`);
  assert.ok(all < MAX_ALL, `${all} bytes`);
  faultless();
});

test('a part that does not come is told, and asked for again', needsBinary, async (t) => {
  const server = await Server.recording('dependency-chain-a');
  t.after(() => server.close());
  const { page } = await open(browser, `${server.base}/?v=events`);
  await page.route('**/incident.css', (route) => route.abort());
  await until('the list is here', () => page.locator('.incident-row').count());
  await page.locator('.incident-row').first().click();
  await until('it is told', async () => /does not load/.test(await page.locator('#banner').innerText()));
  await page.unroute('**/incident.css');
  await page.keyboard.press('Escape');
  await page.locator('.incident-row').first().click();
  await until('it has come', () => page.locator('#incident .sections').isVisible());
});
