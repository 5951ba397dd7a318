// Pages of other origins, and what a browser makes of the headers that keep pages apart.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { launch, open } from './helper/browser.mjs';
import { needsBinary } from './helper/environment.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { if (!needsBinary.skip) browser = await launch(); });
after(() => browser?.close());

/** @param {import('node:test').TestContext} t @returns {Promise<string>} the origin of an empty page */
async function elsewhere(t) {
  const server = createServer((_, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>elsewhere</title>'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => { server.closeAllConnections(); server.close(); });
  return `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
}

/** @param {string} origin of the page that listens @param {string} url */
async function listen(origin, url) {
  const page = await browser.newPage();
  await page.goto(origin);
  await page.evaluate((url) => {
    const source = new EventSource(url);
    /** @type {any} */ (globalThis).heard = { ids: [], frames: 0, opened: 0, source };
    const { heard } = /** @type {any} */ (globalThis);
    source.onopen = () => { heard.opened += 1; };
    source.onmessage = ({ lastEventId }) => heard.ids.push(lastEventId);
    for (const kind of ['hello', 'caught-up']) source.addEventListener(kind, () => { heard.frames += 1; });
  }, url);
  const heard = () => page.evaluate(() => {
    const { ids, frames, opened, source } = /** @type {any} */ (globalThis).heard;
    return { ids, frames, opened, closed: source.readyState === EventSource.CLOSED };
  });
  return { page, heard };
}

test('a page of a listed origin hears everything, also after a restart; another hears nothing', needsBinary, async (t) => {
  const [listed, other] = [await elsewhere(t), await elsewhere(t)];
  const server = await Server.demo('--cors-origin', listed);
  t.after(() => server.close());
  const url = `${server.base}/api/v1/stream?since=oldest`;

  const refused = await listen(other, url);
  await until('it is refused', async () => (await refused.heard()).closed);
  const friend = await listen(listed, url);
  await until('records arrive', async () => (await friend.heard()).ids.length > 0);
  const soFar = (await friend.heard()).ids.length;
  await server.kill();
  await server.up();
  await until('it has come back by itself', async () => (await friend.heard()).opened === 2);
  await until('more records arrive', async () => (await friend.heard()).ids.length > soFar + 5, 60_000);
  const { ids } = await friend.heard();
  const stored = (await server.records()).map(({ id }) => id);
  assert.deepEqual(ids, stored.slice(0, ids.length));

  assert.deepEqual(await refused.heard(), { ids: [], frames: 0, opened: 0, closed: true });
  for (const { page } of [refused, friend]) await page.close();
});

const PAGES = ['/', '/compare', '/demo/sse', '/demo/polling', '/demo/websocket', '/login'];

test('every page says what it may load and that nobody may frame it, and keeps to it', needsBinary, async (t) => {
  const server = await Server.demo();
  t.after(() => server.close());
  const outside = await elsewhere(t);
  for (const path of PAGES) {
    const { page, faultless } = await open(browser, server.base + path);
    const response = await page.reload();
    const headers = await /** @type {import('playwright-core').Response} */ (response).allHeaders();
    assert.match(headers['content-security-policy'], /^default-src 'none'; .*frame-ancestors 'none'$/, path);
    assert.equal(headers['x-content-type-options'], 'nosniff', path);
    faultless();

    // A script that a record might have brought in.
    const complaint = page.waitForEvent('console', (message) => /Content Security Policy/i.test(message.text()));
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.injected = true';
      document.body.append(script);
    });
    await complaint;
    assert.equal(await page.evaluate(() => 'injected' in globalThis), false, path);
    assert.throws(faultless, /Content Security Policy/);

    await page.goto(outside);
    await page.evaluate((address) => new Promise((resolve) => {
      const frame = document.createElement('iframe');
      frame.onload = resolve;
      frame.src = address;
      document.body.append(frame);
    }), server.base + path);
    assert.deepEqual(page.frames().slice(1).map((frame) => frame.url()), ['chrome-error://chromewebdata/'], path);
    await page.context().close();
  }
});
