// Behind a reverse proxy that nobody has told anything: another Host, a prefix, and a server that is upgraded meanwhile.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, live, open } from './helper/browser.mjs';
import { needsBinary } from './helper/environment.mjs';
import { front } from './helper/front.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

const TOKEN = 'a-token-of-the-browser-tests';
const PREFIX = '/tools/shipslog/';

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { if (!needsBinary.skip) browser = await launch(); });
after(() => browser?.close());

const says = (/** @type {Page} */ page, /** @type {string} */ selector, /** @type {RegExp} */ what) =>
  until(`${selector} says ${what}`, async () => what.test(await page.locator(selector).innerText()));

/** What such a proxy tells the server. @param {Server} server @returns {{host: string}} */
const hostOf = (server) => ({ host: new URL(server.base).host });

test('our pages load where the proxy changes the Host', needsBinary, async (t) => {
  const server = await Server.demo();
  t.after(() => server.close());
  const base = await front(t, server.base, hostOf(server));
  const { page, faultless } = await open(browser, base);
  await live(page);
  for (const [path, state] of [['demo/sse', /^open$/], ['demo/polling', /^200$/]]) {
    await page.goto(new URL(String(path), base).href);
    await says(page, '#state', /** @type {RegExp} */ (state));
  }
  faultless();
});

test('a login below a prefix leads back to where it began', needsBinary, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'shipslog-browser-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, 'tokens'), `${TOKEN}\n`);
  const server = await Server.demo('--token-file', join(directory, 'tokens'));
  t.after(() => server.close());
  const base = await front(t, server.base, { prefix: PREFIX, ...hostOf(server) });
  const wanted = `${base}demo/sse`;
  const { page } = await open(browser, wanted);
  const isAt = (/** @type {string} */ address) => until(`the page is at ${address}`, () => page.url() === address);
  await isAt(`${base}login?next=%2Fdemo%2Fsse`);
  await page.getByLabel('Token').fill(TOKEN);
  await page.getByRole('button', { name: 'Log in' }).click();
  await isAt(wanted);
  await says(page, '#state', /^open$/);
  const [cookie] = await page.context().cookies();
  assert.equal(cookie?.path, PREFIX.slice(0, -1), 'another program on this host is not sent it');

  // The tokens change under an open page, which leads to the form and back.
  const view = `${base}?q=type%3Dcontainer`;
  await page.goto(view);
  await live(page);
  await writeFile(join(directory, 'tokens'), `${TOKEN}-2\n`);
  await page.locator('#banner').getByRole('link', { name: 'Log in' }).click();
  await page.getByLabel('Token').fill(`${TOKEN}-2`);
  await page.getByRole('button', { name: 'Log in' }).click();
  await isAt(view);
  await live(page);
  await page.getByRole('button', { name: 'Log out' }).click();
  await isAt(`${base}login`);
  assert.deepEqual(await page.context().cookies(), []);
});

test('a page that was left open over an upgrade asks for a reload, also where it has no stream', needsBinary, async (t) => {
  const server = await Server.demo();
  t.after(() => server.close());
  let isUpgraded = false;
  const base = await front(t, server.base, {
    answer: ({ url }, response) => {
      if (!isUpgraded || !url?.startsWith('/readyz')) return false;
      const body = { ready: true, sources: [], writer: { state: 'ok', error: null, hint: null }, page: '0123456789abcdef' };
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
      return true;
    },
  });
  const { page, faultless } = await open(browser, `${base}?since=1h`);
  await says(page, '#state-text', /^stored range$/);
  assert.ok(await page.getByText('was upgraded').isHidden());
  isUpgraded = true;
  await says(page, '#banner', /shipslog was upgraded while this page was open\./);
  await page.locator('#banner').getByRole('link', { name: 'Reload' }).click();
  await says(page, '#state-text', /^stored range$/);
  faultless();
});
