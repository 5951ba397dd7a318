// The hosts of a fleet on the page. What a server of a fleet answers is scripted here: that it answers so is tried in tests/fleet.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fleetText, gapsText, inOrder, lagText } from '../../src/ui/fleet.js';
import { launch, open, shot } from './helper/browser.mjs';
import { needsBinary } from './helper/environment.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

const LOG = '7f3c9a1e-1842-4497-979c-979afb0df8c2';
const host = (/** @type {string} */ name, /** @type {any} */ more = {}) => ({ host: name, log: LOG, next: 4_712, last_time: '2026-11-28T23:59:00Z', last_arrived: '2026-11-28T23:59:01Z', state: 'live', lost: 0, gaps: [], ...more });
const HOSTS = [
  host('prod-1', { next: 27_819 }),
  host('prod-2', { state: 'catching-up', last_time: '2026-11-28T23:49:00Z' }),
  host('edge-paris-with-a-long-name.internal.example', { state: 'silent', last_arrived: '2026-11-28T12:00:00Z', lost: 40, gaps: [{ first: 100, last: 139, reason: 'retention' }] }),
  host('copy', { state: 'conflict' }),
];

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  if (!needsBinary.skip) browser = await launch();
});
after(() => browser?.close());

/** A server that calls itself one of a fleet. @param {import('node:test').TestContext} t @param {string} query @param {import('playwright-core').BrowserContextOptions} [options] */
async function fleet(t, query, options = {}) {
  const server = await Server.recording('day-a');
  t.after(() => server.close());
  const { page, faultless } = await open(browser, `${server.base}/login`, { timezoneId: 'UTC', ...options });
  await page.route('**/readyz', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), fleet: { error: null, warning: null } } });
  });
  await page.route('**/api/v1/hosts', (route) => route.fulfill({ json: HOSTS }));
  await page.goto(`${server.base}/${query}`);
  return { server, page, faultless };
}
const rows = (/** @type {Page} */ page) => page.locator('.fleet-table tbody tr');

test('hosts in words: what wants somebody comes first', () => {
  assert.deepEqual(inOrder(HOSTS).map(({ state }) => state), ['conflict', 'silent', 'catching-up', 'live']);
  assert.equal(fleetText(HOSTS), '4 hosts: 1 conflict, 1 silent, 1 catching up, 1 live');
  assert.equal(fleetText([]), 'No host has sent anything yet');
  const now = Date.parse('2026-11-29T00:00:00Z');
  assert.deepEqual(HOSTS.map((one) => lagText(one, now)), ['none', '10 min behind', 'silent for 12 h', 'none']);
  assert.equal(lagText(host('new', { last_time: null, last_arrived: null }), now), 'nothing yet');
  assert.deepEqual(gapsText(HOSTS[2]), { text: '40 records never came', title: 'Records 100–139: retention' });
  assert.deepEqual(gapsText(HOSTS[0]), { text: 'none', title: '' });
});

test('hosts have a tab, a key and an address, and lead to what happened on one', needsBinary, async (t) => {
  const { page, faultless } = await fleet(t, '?v=events');
  const tab = page.locator('[data-tab-of="hosts"]');
  await tab.waitFor();
  await page.keyboard.press('h');
  await until('all are listed', async () => (await rows(page).count()) === 4);
  assert.match(page.url(), /v=hosts/);
  assert.equal(await tab.getAttribute('aria-current'), 'page');
  assert.equal(await page.locator('#fleet h2').innerText(), '4 hosts: 1 conflict, 1 silent, 1 catching up, 1 live');
  assert.match(await rows(page).nth(1).innerText(), /edge-paris.*◆ silent.*40 records never came/s);
  assert.ok(await page.locator('#list').isHidden() && await page.locator('#charts').isHidden());
  await page.keyboard.press('Escape');
  await until('the events are back', () => page.locator('#list').isVisible());
  await page.goBack();
  await until('Back leads to the hosts', () => rows(page).first().isVisible());
  await rows(page).last().getByRole('link').focus();
  await page.keyboard.press('Enter');
  await until('only that host is shown', async () => (await page.locator('#filter').inputValue()) === 'source=prod-1');
  assert.ok(await page.locator('#fleet').isHidden());
  faultless();
});

test('hosts fit a phone, and axe finds nothing', needsBinary, async (t) => {
  const axe = await readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
  for (const [width, colorScheme] of /** @type {const} */ ([[1_440, 'light'], [1_024, 'dark'], [390, 'light']])) {
    const { page } = await fleet(t, '?v=hosts', { colorScheme, bypassCSP: true, viewport: { width, height: 844 } });
    await until('all are listed', async () => (await rows(page).count()) === 4);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), `cut off at ${width}`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run('#fleet'));
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(' ')}`), []);
    await shot(page, `hosts-${width}-${colorScheme}`);
  }
});

test('a recorder has no hosts of a fleet, and says so', needsBinary, async (t) => {
  const server = await Server.recording('crash-once-a');
  t.after(() => server.close());
  const { page, faultless } = await open(browser, `${server.base}/?v=hosts`, { timezoneId: 'UTC' });
  await until('it is said', async () => /kept by a server of a fleet/.test(await page.locator('#fleet').innerText()));
  assert.ok(await page.locator('[data-tab-of="hosts"]').isHidden());
  faultless();
});
