// What somebody on call met on the page of a recorded day, over recordings that are only read.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open } from './helper/browser.mjs';
import { needsBinary } from './helper/environment.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  if (!needsBinary.skip) browser = await launch();
});
after(() => browser?.close());

/** @param {import('node:test').TestContext} t @param {string} name @param {string} query @param {import('playwright-core').BrowserContextOptions} [options] */
async function recording(t, name, query, options = {}) {
  const server = await Server.recording(name);
  t.after(() => server.close());
  return { server, ...(await open(browser, `${server.base}/${query}`, { timezoneId: 'UTC', ...options })) };
}
/** @param {Page} page @param {string} selector @param {RegExp} text */
const says = (page, selector, text) => until(`${selector} says ${text}`, async () => text.test(await page.locator(selector).innerText()));

test('a range without ends is a question for incidents, too', needsBinary, async (t) => {
  const { server, page, faultless } = await recording(t, 'compose-bad-deploy-a', '?range=all');
  await says(page, '.world', /^Nothing is open\s+1 closed/);
  await page.goto(`${server.base}/?v=incidents&range=all`);
  await says(page, '.world', /^Nothing is open\s+1 closed/);
  faultless();
});

test('the day as it was read: who ran on, what helped, what neighbours did, and what came of it', needsBinary, async (t) => {
  const { server, page, faultless } = await recording(t, 'day-a', '?v=incidents');
  await says(page, '#incidents-count', /^0 open · 7$/);
  assert.match(await page.locator('.notices').innerText(), /job etl ended with exit 1 after 0 s ×3/);
  const { incidents } = await server.json('/api/v1/incidents?severity=notice&limit=300');
  const show = async (/** @type {string} */ subject, /** @type {string} */ kind) => {
    const { id } = incidents.find((/** @type {any} */ each) => each.subject === subject && each.kind === kind);
    await page.goto(`${server.base}/?v=incidents&i=${id}`);
    await until('its records are here', () => page.locator('.records li').count());
    return page.locator('#incident').innerText();
  };
  const mass = await show('prod-1', 'mass');
  assert.match(mass, /^10 containers failed within 1\u00a0s while the daemon ran on, and were removed\./);
  assert.match(mass, /Ran on: bystander, door\./);
  assert.match(mass, /What failed, in this order\s+svc0 .*svc9 .*svc1 .*svc8 /s);
  const oom = await show('thumbnailer', 'crash-loop');
  assert.match(oom, /Nothing of its own was changed.*At the same time.*front re-created: acme\/web:3 → acme\/web:4, 30\ss before it began/s);
  assert.match(oom, /Nothing was done to it through Docker’s API meanwhile\.\s+Gaps/);
  assert.match(await show('shop/api', 'crash-loop'), /restart, no effect\s.*stopped and re-created, helped: image/s);
  const cron = await show('cron', 'stop-timeout');
  assert.match(cron, /after, 02:10:25\s+cron\s+running\s+running/);
  assert.doesNotMatch(cron, /end of the incident/i);
  faultless();
});

test('the legend stands over the axis, the help begins at its beginning, and charts give way to an incident', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'day-a', '?v=events&range=all');
  await until('the charts are drawn', () => page.locator('#charts[data-drawn="true"]').count());
  const top = (/** @type {string} */ selector) => page.locator(selector).evaluate((element) => element.getBoundingClientRect().top);
  assert.ok((await top('.ch-legend')) < (await top('.ch-plot')));
  // What gave way to the failures after it is tied to its time.
  assert.equal(await page.locator('.ch-lanes li', { hasText: 'shop/api' }).locator('.ch-lead-C').count(), 1);
  await page.keyboard.press('?');
  assert.equal(await page.locator('#help').evaluate((help) => help.scrollTop), 0);
  assert.match(await page.locator('#help').innerText(), /Letters\s+X\s+failed/);
  await page.keyboard.press('Escape');
  const height = () => page.locator('#charts').evaluate((charts) => charts.clientHeight);
  const before = await height();
  await page.locator('.incident-row').first().click();
  await until('the charts are lower', async () => (await height()) < before - 100);
  faultless();
});

test('a stored log is called that, and “15m” is counted back from its end', needsBinary, async (t) => {
  const { server, page, faultless } = await recording(t, 'compose-bad-deploy-a', '');
  await until('it is called a stored log', async () => (await page.locator('#state-text').innerText()) === 'stored log');
  const { until: end } = await server.json('/api/v1/histogram?bins=1');
  const since = () => Date.parse(new URL(page.url()).searchParams.get('since') ?? '');
  const isFromEnd = () => Math.abs(Date.parse(end.replace(/(\.\d{3})\d+/, '$1')) - 15 * 60_000 - since()) < 1_000;
  await page.locator('[data-since="15m"]').click();
  await until('it is counted from the end', async () => isFromEnd());
  await says(page, '.world', /1 closed/);
  // And so it is for what somebody wrote into the address.
  await page.goto(`${server.base}/?since=15m`);
  await until('it is counted from the end', async () => isFromEnd());
  await says(page, '#counts', /^[1-9]\d* records? here/);
  faultless();
});
