// The same trouble on several hosts: one row of the list.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { folded, hostsText, join } from '../../src/ui/across.js';
import { launch, open } from './helper/browser.mjs';
import { needsBinary } from './helper/environment.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  if (!needsBinary.skip) browser = await launch();
});
after(() => browser?.close());

test('a group is one row, of those that are there', () => {
  const one = (/** @type {string} */ id, /** @type {any} */ more = {}) => ({ id, severity: 'minor', state: 'closed', end: 'then', ...more });
  const group = { incidents: ['a', 'b', 'c', 'd'], sources: ['web-1', 'web-2', 'web-3', 'db-1'], severity: 'major', state: 'open', end: null };
  const all = /** @type {any[]} */ ([one('x'), one('d'), one('b'), one('a'), one('c')]);
  join(all, /** @type {any} */ ([group, { incidents: ['gone', 'e'] }]));
  const rows = folded(all);
  assert.deepEqual(rows.map(({ id }) => id), ['x', 'a']);
  assert.deepEqual([rows[1].severity, rows[1].state, rows[1].end], ['major', 'open', null]);
  assert.equal(hostsText(rows[1]), 'on 4 hosts: web-1, web-2, web-3 and 1 more');
  assert.equal(hostsText(rows[0]), '');
  // A filter may hide the first, or all but one: that one is as it is.
  assert.deepEqual(folded(all.filter(({ id }) => id !== 'a')).map(({ id }) => id), ['x', 'b']);
  const alone = folded(all.filter(({ id }) => id === 'c'));
  assert.deepEqual([alone.length, alone[0].severity], [1, 'minor']);
});

/** A recording as if two Docker hosts had lived it. @param {import('node:test').TestContext} t @param {string} name */
async function twice(t, name) {
  const once = await Server.recording(name);
  t.after(() => once.close());
  const text = await (await fetch(`${once.base}/api/v1/export`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith('{"id"')).map((line) => JSON.parse(line));
  const own = (/** @type {any} */ record, /** @type {string} */ host) => (record.source === 'shipslog' ? record.source : host);
  const records = lines.flatMap((record) => ['web-1', 'web-2'].map((host) => ({ ...record, source: own(record, host) })));
  const server = await Server.of(records.map((record, at) => ({ ...record, seq: at + 1, id: `7f3c9a1e-${at + 1}` })));
  t.after(() => server.close());
  return server;
}

test('what fails on two hosts at once is one row, and leads to each', needsBinary, async (t) => {
  const server = await twice(t, 'crashloop-exit-a');
  const { page, faultless } = await open(browser, `${server.base}/?v=incidents&range=all`, { timezoneId: 'UTC' });
  const rows = page.locator('.incident-list li .incident-row');
  await until('its row is there', async () => (await rows.count()) === 1);
  assert.match(await rows.first().innerText(), /on 2 hosts: web-1, web-2/);
  await rows.first().click();
  const chosen = () => new URL(page.url()).searchParams.get('i');
  await until('it is open', () => chosen() !== null);
  const first = chosen();
  await page.getByRole('link', { name: /^on web-2/ }).click();
  await until('the other is open', () => chosen() !== null && chosen() !== first);
  faultless();
});
