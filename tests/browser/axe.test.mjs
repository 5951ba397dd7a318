// Every page for those who do not see it, or not as others do: axe-core, in both colour schemes; and at 390 pixels
// nothing lies over anything else.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { launch, live, open, shot } from './helper/browser.mjs';
import { needsBinary } from './helper/environment.mjs';
import { gap, record, starts } from './helper/incident.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
let axe = '';
before(async () => {
  if (needsBinary.skip) return;
  browser = await launch();
  axe = await readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
});
after(() => browser?.close());

const BEGAN = Date.UTC(2025, 10, 22, 3);
const RECORDS = [
  ...starts(40, BEGAN),
  record(41, BEGAN + 60_000, 'container', 'oom', { name: 'db', image: 'postgres:17' }),
  record(42, BEGAN + 60_100, 'container', 'die', { name: 'db', exitCode: '137', image: 'postgres:17' }),
  record(43, BEGAN + 61_000, 'container', 'die', { name: 'api', exitCode: '1', image: 'shop/api:2' }, { id: 'b'.repeat(64), source: 'edge' }),
  gap(44, BEGAN + 70_000, BEGAN + 130_000),
];
/** @type {Record<string, (page: Page) => Promise<unknown>>} */
const STATES = {
  '/': live,
  '/?q=event%3Dnone': live,
  '/?range=all&record=7f3c9a1e-42': (page) => page.locator('#drawer').waitFor(),
  '/?q=type%3D': (page) => until('the mistake is told', () => page.locator('#filter-error').innerText()),
  '/?range=all&record=ffffffff-1': (page) => until('it is refused', () => page.locator('#notice').isVisible()),
  '/compare': (page) => until('it runs', async () => (await page.locator('#phase').innerText()).startsWith('running')),
  '/login?wrong=1': async () => {},
  '/demo/sse': async () => {},
  '/demo/polling': async () => {},
  '/demo/websocket': async () => {},
};

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  test(`axe finds nothing on any page, ${colorScheme}`, needsBinary, async (t) => {
    const server = await Server.of(RECORDS);
    t.after(() => server.close());
    for (const [path, isReady] of Object.entries(STATES)) {
      const { page } = await open(browser, server.base + path, { colorScheme, bypassCSP: true, timezoneId: 'UTC' });
      await isReady(page);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run());
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(' ')}`);
      assert.deepEqual(found, [], path);
      assert.deepEqual(await page.evaluate(() => [document.querySelectorAll('main').length, document.querySelectorAll('h1').length]), [1, 1], path);
      await page.context().close();
    }
  });
}

/** Pairs of what can be seen and does not contain each other, but shares pixels. @param {Page} page @returns {Promise<string[]>} */
const overlaps = (page) => page.evaluate(() => {
  const wanted = 'h1, #state, #proof, #losses, .last, nav a, nav button, .line, #filter, .range button, .range label, .hosts, .chip, .tools > *, #notice, #filter-error, .drawer button, .drawer a';
  const seen = [...document.querySelectorAll(wanted)].map((element) => ({ element, box: element.getBoundingClientRect() }))
    .filter(({ element, box }) => box.width > 0 && box.height > 0 && element.checkVisibility());
  const drawer = document.getElementById('drawer');
  const over = drawer && !drawer.hidden ? seen.filter(({ element }) => drawer.contains(element)) : seen;
  const found = [];
  for (const [n, a] of over.entries()) {
    if (a.box.right > innerWidth + 1) found.push(`${a.element.id || a.element.className} is wider than the screen`);
    for (const b of over.slice(n + 1)) {
      if (a.element.contains(b.element) || b.element.contains(a.element)) continue;
      const x = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const y = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      if (x > 1 && y > 1) found.push(`${a.element.id || a.element.textContent} / ${b.element.id || b.element.textContent}`);
    }
  }
  return found;
});

for (const [width, height] of [[390, 844], [1024, 768], [1440, 900]]) {
  test(`nothing lies over anything else, ${width} pixels`, needsBinary, async (t) => {
    const server = await Server.of(RECORDS);
    t.after(() => server.close());
    for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
      for (const [path, isReady] of Object.entries(STATES)) {
        const { page } = await open(browser, server.base + path, { colorScheme, viewport: { width, height }, timezoneId: 'Europe/Berlin' });
        await isReady(page);
        assert.deepEqual(await overlaps(page), [], `${path} at ${width}`);
        await shot(page, `${path.replace(/\W+/g, '-').replace(/^-|-$/g, '') || 'live'}-${width}-${colorScheme}`);
        await page.context().close();
      }
    }
  });
}
