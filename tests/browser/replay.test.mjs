// A past range replayed on the live page, with the controls that a person has.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, live, open, recordsOf, shot, stateOf } from './helper/browser.mjs';
import { needsBinary } from './helper/environment.mjs';
import { gap, starts } from './helper/incident.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

const BEGAN_MS = Date.UTC(2025, 10, 22, 3, 10);
const APART_MS = 2_000;
const EVENTS = 60;

const iso = (/** @type {number} */ ms) => new Date(ms).toISOString().replace('Z', '000000Z');
const incident = Array.from({ length: EVENTS }, (_, n) => {
  const time = iso(BEGAN_MS + n * APART_MS);
  const event = { Type: 'container', Action: n % 3 ? 'start' : 'die', Actor: { ID: `c${n}`, Attributes: { name: `job-${n}` } }, timeNano: 0 };
  return { id: `7f3c9a1e-${n + 1}`, seq: n + 1, time, received: time, source: 'local', event };
});
/** The last ten lie after the range, so that there is something to leave out. */
const wanted = incident.slice(0, EVENTS - 10).map(({ seq }) => seq);
const RANGE = `since=${iso(BEGAN_MS)}&until=${iso(BEGAN_MS + (EVENTS - 11) * APART_MS)}`;

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { if (!needsBinary.skip) browser = await launch(); });
after(() => browser?.close());

/** @param {import('node:test').TestContext} t */
async function ranged(t) {
  const server = await Server.of(incident);
  t.after(() => server.close());
  const opened = await open(browser, `${server.base}/?${RANGE}`, { timezoneId: 'UTC' });
  await until('the range is loaded', async () => (await opened.page.locator('#proof').innerText()) === `all ${wanted.length} records`);
  return { server, ...opened };
}

const press = (/** @type {Page} */ page, /** @type {string} */ name) =>
  page.getByRole('group', { name: 'Replay' }).getByRole('button', { name, exact: true }).click();
const is = (/** @type {Page} */ page, /** @type {string} */ state) =>
  until(`the page is ${state}`, async () => (await stateOf(page)).state === state);
const shown = async (/** @type {Page} */ page) => (await recordsOf(page)).map((id) => Number(id.split('-')[1]));
const has = (/** @type {Page} */ page, /** @type {number} */ count) =>
  until(`${count} records are shown`, async () => (await shown(page)).length >= count);
const clockOf = (/** @type {Page} */ page) => page.locator('#replay time').innerText();

test('a range is replayed, paused, hurried, and stopped', needsBinary, async (t) => {
  const { page, faultless } = await ranged(t);
  await press(page, 'Replay');
  await has(page, 3);
  await until('the clock runs', async () => /^2025-11-22 03:1\d:\d\d$/.test(await clockOf(page)));
  await shot(page, 'replay-running');
  await press(page, 'Pause');
  await is(page, 'paused');
  const [paused, stopped] = [await shown(page), await clockOf(page)];
  assert.ok(paused.length < wanted.length, `${paused.length} records after a pause`);
  assert.deepEqual(paused, wanted.slice(0, paused.length));
  await until('the page says so', async () => (await page.locator('#state-text').innerText()) === 'replay paused');

  await press(page, 'Go on');
  await has(page, paused.length + 2);
  await until('the clock has gone on', async () => (await clockOf(page)) > stopped);
  await page.getByLabel('Speed of the replay').selectOption('1000×');
  await is(page, 'ended');
  assert.deepEqual(await shown(page), wanted);
  const { missed, gaps, resets, resumes } = await stateOf(page);
  assert.deepEqual({ missed, gaps, resets, resumes }, { missed: 0, gaps: 0, resets: 0, resumes: 2 });
  // The clock has come to the last record, and stands there.
  assert.equal(await clockOf(page), '2025-11-22 03:11:38');
  await shot(page, 'replay-ended');

  await press(page, 'Replay again');
  await is(page, 'ended');
  assert.deepEqual(await shown(page), wanted);
  await press(page, 'Stop');
  await is(page, 'range');
  await has(page, wanted.length);
  assert.ok(await page.getByRole('button', { name: 'Replay', exact: true }).evaluate((button) => button === document.activeElement));
  await page.getByRole('button', { name: 'Live', exact: true }).click();
  await live(page);
  assert.ok(await page.locator('#replay').isHidden());
  faultless();
});

test('a replay goes on where it was when the server is killed', needsBinary, async (t) => {
  const { server, page, faultless } = await ranged(t);
  await press(page, 'Replay');
  await has(page, 3);
  await server.kill();
  await is(page, 'reconnecting');
  await server.up();
  await page.getByLabel('Speed of the replay').selectOption('100×');
  await is(page, 'ended');
  assert.deepEqual(await shown(page), wanted);
  assert.equal((await stateOf(page)).missed, 0);
  faultless();
});

test('a replay that is cut just before its end learns that nothing is left', needsBinary, async (t) => {
  const { page, faultless } = await ranged(t);
  let cut = 0;
  await page.route('**/api/v1/stream?*', async (route) => {
    if (cut++) return route.continue();
    const response = await route.fetch();
    const body = (await response.text()).replace(/event: end[^]*$/, '').replace('retry: 2000', 'retry: 1');
    return route.fulfill({ response, body });
  });
  await page.getByLabel('Speed of the replay').selectOption('1000×');
  await press(page, 'Replay');
  await is(page, 'ended');
  assert.ok(cut > 1, 'it has come back');
  assert.deepEqual(await shown(page), wanted);
  faultless();
});

test('a range without an end runs into the present', needsBinary, async (t) => {
  const server = await Server.of(incident);
  t.after(() => server.close());
  const { page, faultless } = await open(browser, `${server.base}/?since=${iso(BEGAN_MS + 50 * APART_MS)}`);
  await is(page, 'range');
  await page.getByLabel('Speed of the replay').selectOption('1000×');
  await press(page, 'Replay');
  // What was recorded months later begins with a start of the recorder, which is not waited for.
  await has(page, 10);
  await live(page);
  const stored = (await server.records()).map(({ seq }) => seq);
  assert.deepEqual(await shown(page), stored.slice(50));
  assert.deepEqual((await stateOf(page)).missed, 0);
  assert.ok(await page.getByRole('button', { name: 'Pause', exact: true }).isHidden());
  faultless();
});

test('a replay shows the gaps that its filter hides, also one that was recorded after its end', needsBinary, async (t) => {
  const at = (/** @type {number} */ n) => BEGAN_MS + n * APART_MS;
  const server = await Server.of([...starts(20, BEGAN_MS), gap(21, at(11), at(12)), ...starts(20, at(13), 1_000, 22), gap(42, at(20), at(90))]);
  t.after(() => server.close());
  const range = `since=${iso(BEGAN_MS)}&until=${iso(at(40))}`;
  const { page, faultless } = await open(browser, `${server.base}/?${range}&q=container%3Djob-3`, { timezoneId: 'UTC' });
  await until('the range is loaded', async () => /^all \d+ records?$/.test(await page.locator('#proof').innerText()));
  await page.getByLabel('Speed of the replay').selectOption('1000×');
  await press(page, 'Replay');
  await is(page, 'ended');
  await until('both gaps are shown, once', async () => (await page.locator('.list .row.loss.gap').count()) === 2);
  assert.equal((await stateOf(page)).missed, 0);
  faultless();
});
