// Many tabs of one browser: over HTTP/1.1 it opens six connections to a host, over HTTP/2 one is enough for all.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { launch, live, newTab, recordsOf, shot, stateOf } from './helper/browser.mjs';
import { needsBinary } from './helper/environment.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

const TABS = 12;
const NEW_RECORDS = 10;
const HTTP1_CONNECTIONS = 6;

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { if (!needsBinary.skip) browser = await launch(); });
after(() => browser?.close());

/** @param {string} directory @returns {Promise<string[]>} options of a server with a certificate of its own */
async function certified(directory) {
  const [certificate, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'];
  await promisify(execFile)('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', certificate]);
  return ['--tls-cert', certificate, '--tls-key', key];
}

/** Asked by a page, so that no connection but the browser's is counted. @param {Page} page @param {string} path @returns {Promise<any>} */
const ask = (page, path) => page.evaluate(async (path) => (await fetch(path)).json(), path);
/** A page that shows every record, health checks too. @param {Server} server */
const everything = (server) => `${server.base}/?noise=1`;
const sequence = (/** @type {string} */ id) => Number(id.split('-')[1]);

/** Waits until a page has had records that were not there yet when it was called. The demo has quiet moments. @param {Page} page */
async function hasNew(page) {
  const head = sequence((await stateOf(page)).lastId);
  await until('new records arrive', async () => sequence((await stateOf(page)).lastId) >= head + NEW_RECORDS, 60_000);
  const { state, missed, gaps, resets, resumes } = await stateOf(page);
  assert.deepEqual({ state, missed, gaps, resets, resumes }, { state: 'live', missed: 0, gaps: 0, resets: 0, resumes: 0 });
}

test(`${TABS} tabs over TLS are live on one stream, each with every record once`, needsBinary, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'shipslog-browser-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const server = await Server.demo(...await certified(directory));
  t.after(() => server.close());
  assert.ok(server.base.startsWith('https:'), server.base);
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  t.after(() => context.close());
  const tabs = await Promise.all(Array.from({ length: TABS }, () => newTab(context, server.base)));
  await Promise.all(tabs.map(({ page }) => page.goto(everything(server))));
  await Promise.all(tabs.map(({ page }) => live(page)));

  // The first tabs may each have begun a connection before it was known to be HTTP/2; those end unused.
  const [{ page: first }] = tabs;
  await until('all are on one stream', async () => (await ask(first, '/api/v1/stats')).server.streams === 1);
  await Promise.all(tabs.map(({ page }) => hasNew(page)));
  const shown = await Promise.all(tabs.map(({ page }) => recordsOf(page)));
  const stored = (await ask(first, '/api/v1/events?limit=10000')).records.map((/** @type {{id: string}} */ { id }) => id);
  for (const [number, ids] of shown.entries()) {
    const from = stored.indexOf(ids[0]);
    assert.deepEqual(ids, stored.slice(from, from + ids.length), `tab ${number}`);
    const protocol = await tabs[number].page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol);
    assert.equal(protocol, 'h2');
    tabs[number].faultless();
  }
});

test(`${TABS} tabs over HTTP/1.1 are live on one stream, and lose nothing when the first ones close`, needsBinary, async (t) => {
  const server = await Server.demo();
  t.after(() => server.close());
  const context = await browser.newContext();
  t.after(() => context.close());
  const tabs = [];
  while (tabs.length < TABS) {
    const tab = await newTab(context, server.base);
    await tab.page.goto(everything(server));
    await live(tab.page);
    tabs.push(tab);
  }
  assert.equal((await server.json('/api/v1/stats')).server.streams, 1);
  const left = tabs.splice(0, TABS / 2);
  for (const { page } of left) await page.close();
  await Promise.all(tabs.map(({ page }) => hasNew(page)));
  // First what is shown: more is stored at any moment.
  const shown = await Promise.all(tabs.map(({ page }) => recordsOf(page)));
  const stored = (await server.records()).map(({ id }) => id);
  for (const [number, ids] of shown.entries()) {
    const from = stored.indexOf(ids[0]);
    assert.deepEqual(ids, stored.slice(from, from + ids.length));
    tabs[number].faultless();
  }
});

test('where there is no shared worker a tab has a stream of its own', needsBinary, async (t) => {
  const server = await Server.demo();
  t.after(() => server.close());
  const context = await browser.newContext();
  t.after(() => context.close());
  await context.addInitScript(() => { delete (/** @type {any} */ (globalThis)).SharedWorker; });
  for (let tabs = 1; tabs <= 2; tabs += 1) {
    const tab = await newTab(context, server.base);
    await tab.page.goto(server.base);
    await live(tab.page);
    assert.equal((await server.json('/api/v1/stats')).server.streams, tabs);
    tab.faultless();
  }
});

test('six filters hold six connections, and the pages say why nothing else is answered', needsBinary, async (t) => {
  const server = await Server.demo();
  t.after(() => server.close());
  const context = await browser.newContext();
  t.after(() => context.close());
  const tabs = [];
  while (tabs.length < HTTP1_CONNECTIONS) {
    const tab = await newTab(context, server.base);
    await tab.page.goto(`${server.base}/?q=-event%3Dx${tabs.length}`);
    await live(tab.page);
    tabs.push(tab);
  }
  const [first, second] = tabs;
  const banner = first.page.locator('#banner');
  await until('the page says that there are too many', async () => /six filters or more, close some/.test(await banner.innerText()), 60_000);
  await shot(first.page, 'tabs-too-many');
  await second.page.close();
  // A question that waits for news may hold the connection that has become free for 25 s.
  await until('the page is content again', () => banner.isHidden(), 90_000);
  first.faultless();
});
