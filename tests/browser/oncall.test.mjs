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
  await says(page, '#incidents-count', /^0 open of 7$/);
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
  assert.equal(mass.split('an error code of its own program').length, 3, 'above, and once for all ten');
  const oom = await show('thumbnailer', 'crash-loop');
  assert.match(oom, /Nothing of its own was changed.*At the same time.*front re-created: acme\/web:3 → acme\/web:4, 30\ss before it began/s);
  assert.match(oom, /nothing was done to it through Docker’s API\.\s+Gaps/);
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
  // What has no room beside the failures that came at once is a tick at its time, among them.
  const lane = page.locator('.ch-lanes li', { hasText: 'shop/api' });
  const [tick, failed] = await Promise.all(['path.ch-C', 'g.ch-X'].map((each) => lane.locator(each).first().boundingBox()));
  assert.ok(tick && failed && tick.x >= failed.x - 1 && tick.x < failed.x + 14, JSON.stringify([tick, failed]));
  await page.keyboard.press('?');
  assert.equal(await page.locator('#help').evaluate((help) => help.scrollTop), 0);
  assert.match(await page.locator('#help').innerText(), /Marks\s+X\s+failed[^]*small triangle at its time/);
  await page.keyboard.press('Escape');
  const height = () => page.locator('#charts').evaluate((charts) => charts.clientHeight);
  const before = await height();
  await page.locator('.incident-row').first().click();
  await until('the charts are lower', async () => (await height()) < before - 100);
  faultless();
});

test('a stored log is called that, and “15m” is counted back from its end', needsBinary, async (t) => {
  const { server, page, faultless } = await recording(t, 'compose-bad-deploy-a', '');
  await until('it is called a stored log', async () => /^stored log, until 2026-11-29 01:3\d:\d\d$/.test(await page.locator('#state-text').innerText()));
  assert.equal(await page.locator('#go-live').innerText(), 'Last day');
  assert.match(await page.locator('.last').innerText(), /^log of prod-1\b/);
  assert.equal(await page.locator('#proof').innerText(), '', 'nothing of it is live');
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

test('what became of each end can be told in seconds: not obeyed, only replaced, killed from outside', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'day-a', '?v=events&range=all&q=event%3Ddie%20exit%3D137', { viewport: { width: 1_280, height: 1_600 } });
  await until('the rows are here', async () => (await page.locator('#list .row:not([hidden])').count()) > 5);
  await page.locator('#list').focus();
  await page.keyboard.press('Home');
  const details = async () => (await page.locator('#list .row:not([hidden])').evaluateAll((rows) => rows.map((row) => `${row.querySelector('.name')?.textContent}: ${row.querySelector('.details')?.textContent}`)));
  await until('who did not stop', async () => (await details()).some((row) => /^queue: did not stop in 10 s and was killed · exit 137/.test(row)));
  const all = await details();
  assert.ok(all.some((row) => /^cron: did not stop in 2 s and was killed · exit 137/.test(row)), all.join('\n'));
  await until('who was replaced', async () => (await details()).some((row) => /^front: replaced by acme\/web:4 · exit 137/.test(row)));
  await until('who was killed from outside', async () => (await details()).some((row) => /^ledger: killed from outside Docker, or by itself · exit 137/.test(row)));
  // In the lanes and in the timeline it has a mark of its own.
  await page.goto(`${new URL(page.url()).origin}/?v=events&range=all&q=container%3Dqueue`);
  await until('its lane is drawn', () => page.locator('.ch-lanes li', { hasText: 'queue' }).locator('.ch-K').count());
  await page.locator('.notice-line', { hasText: 'queue' }).click();
  await until('its timeline is here', () => page.locator('.steps .mk[data-what="deaf"]').count());
  assert.match(await page.locator('.steps').innerText(), /K\s*queue ended with exit 137, after 14\.8\ss: did not stop in 10\ss and was killed/);
  faultless();
});

test('what events do not say is said first, and a report is at hand from the list and from the incident', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'day-a', '?v=incidents', { permissions: ['clipboard-read', 'clipboard-write'] });
  const row = page.locator('.incident-list li', { hasText: 'ledger' });
  assert.match(await row.innerText(), /Docker does not say why/);
  await row.getByRole('button', { name: 'Copy Markdown: ledger' }).click();
  await until('the button says so', async () => (await row.getByRole('button').innerText()) === 'copied');
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^# ledger crashed/);
  await row.getByRole('link').click();
  await until('it is said', async () => /^Docker’s events do not say why\. They say: exit 137: SIGKILL, .*nothing of its own was changed in the 10\s?min before; what it printed last is not recorded/.test(await page.locator('.unsaid').innerText()));
  assert.equal(await page.locator('.incident-acts').locator('button, a').first().innerText(), 'Copy Markdown');
  // What neighbours deployed is in the report of another one.
  await page.locator('.incident-list li', { hasText: 'thumbnailer' }).getByRole('button').click();
  await until('it is copied', async () => /## At the same time[^#]*front deployed: acme\/web:3 → acme\/web:4.*before it began/s.test(await page.evaluate(() => navigator.clipboard.readText())));
  faultless();
});

test('a filter says what it hides, in the list, in the bars and in the lanes', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'day-a', '?v=incidents&q=project%3Dorders');
  await says(page, '.world', /^Nothing that matches is open\s+1 closed · 1 critical · 6 hidden by the filter/);
  await says(page, '.ch-filter', /^Filtered: bars count only what matches; \d+ of \d+ lanes are hidden\.$/);
  assert.deepEqual([...new Set((await page.locator('.ch-lanes .ch-name').allTextContents()).map((name) => name.split('/')[0]))], ['orders']);
  await page.locator('#filter').fill('-project=orders event=die');
  await page.keyboard.press('Enter');
  await says(page, '.ch-filter', /3 of \d+ lanes are hidden; lanes and incidents do not go by event=die, which is about single records\./);
  assert.ok((await page.locator('.ch-lanes .ch-name').allTextContents()).every((name) => !name.startsWith('orders')));
  await page.locator('#filter').fill('container=nosuch');
  await page.keyboard.press('Enter');
  await says(page, '.ch-none', /^No record in this time matches the filter$/);
  await says(page, '.world', /7 hidden by the filter/);
  faultless();
});

test('lanes stay where they are while an incident or a part of the time is chosen', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'day-a', '?v=events');
  const lanes = () => page.locator('.ch-lanes .ch-name').allTextContents();
  await until('all are listed', async () => (await page.locator('.incident-row').count()) === 7 && (await page.locator('#charts[data-drawn="true"]').count()) === 1);
  await until('the worst comes first', async () => (await lanes())[0] === 'orders/db');
  const before = await lanes();
  await page.locator('.incident-row', { hasText: 'thumbnailer' }).click();
  await until('it is open', () => page.locator('.records li').count());
  assert.deepEqual(await lanes(), before);
  const lane = page.locator('.ch-lanes li', { hasText: 'thumbnailer' });
  await until('its own is in view, below the bars', () => lane.evaluate((element) => {
    const [box, charts, bars] = [element, element.closest('.charts'), document.querySelector('.ch-head')].map((one) => one?.getBoundingClientRect());
    return Boolean(box && charts && bars && box.top >= bars.bottom - 1 && box.bottom <= charts.bottom + 1);
  }));
  await page.keyboard.press('Escape');
  const { x, y, width } = /** @type {any} */ (await page.locator('.ch-brush').boundingBox());
  await page.mouse.move(x + width * 0.5, y + 20);
  await page.mouse.down();
  await page.mouse.move(x + width * 0.6, y + 20, { steps: 4 });
  await page.mouse.up();
  await until('the list follows', async () => (await page.locator('.incident-row').count()) < 4);
  assert.deepEqual(await lanes(), before);
  faultless();
});

test('the focus comes back, nothing happens while somebody types, and b stays in the page', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'day-a', '?v=events');
  const row = page.locator('.incident-row', { hasText: 'checkout' });
  await row.focus();
  await page.keyboard.press('Enter');
  await until('it is open', () => page.locator('.records li').count());
  await page.keyboard.press('Escape');
  await until('the focus is on its row', () => row.evaluate((element) => element === document.activeElement));
  await page.keyboard.press('?');
  await until('the help is there', () => page.locator('#help').isVisible());
  for (const key of ['i', 'j', 'l', 'd', 'm', 'r', 'z', 'b', '[', 'h', '?']) assert.ok((await page.locator('#help kbd').allTextContents()).includes(key) || key === '?', key);
  await page.keyboard.press('Escape');
  await until('it is closed', () => page.locator('#help').isHidden());
  assert.ok(await row.evaluate((element) => element === document.activeElement), 'the dialog gives it back, too');
  await page.locator('#filter').focus();
  const address = page.url();
  await page.keyboard.type('ijkldmrzbhe?');
  assert.deepEqual([await page.locator('#filter').inputValue(), page.url(), await page.locator('dialog[open]').count()], ['ijkldmrzbhe?', address, 0]);
  const fresh = await open(browser, page.url(), { timezoneId: 'UTC' });
  await until('the list is here', () => fresh.page.locator('.incident-row').count());
  await fresh.page.locator('#list').focus();
  await fresh.page.keyboard.press('b');
  assert.equal(fresh.page.url(), page.url());
  faultless();
});

test('on a phone: headline, incidents, then charts; what happened before when; and room for fingers', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'day-a', '?v=incidents', { viewport: { width: 390, height: 844 }, hasTouch: true });
  await until('all are listed', async () => (await page.locator('.incident-row').count()) === 7 && (await page.locator('#charts[data-drawn="true"]').count()) === 1);
  const tops = (/** @type {string[]} */ selectors) => Promise.all(selectors.map((selector) => page.locator(selector).first().evaluate((element) => element.getBoundingClientRect().top)));
  const rise = (/** @type {number[]} */ all) => assert.deepEqual(all, [...all].sort((a, b) => a - b));
  rise(await tops(['.world h2', '.incident-row', '.notices', '#charts']));
  const small = () => page.evaluate(() => [...document.querySelectorAll('button, select, input, .tabs a, .incident-row, .notice-line, .button, .fleet-table a')].flatMap((element) => {
    const { width, height } = element.getBoundingClientRect();
    const isTarget = width > 0 && height > 0 && !element.closest('.ch-lanes, .visually-hidden, .list');
    return isTarget && height < 44 ? [`${element.className || element.id || element.textContent}: ${height}`] : [];
  }));
  assert.deepEqual(await small(), []);
  await page.locator('.incident-row', { hasText: 'ledger' }).tap();
  await until('it is here', () => page.locator('.records li').count());
  rise(await tops(['#incident h2', '.unsaid', '.changed', '#charts']));
  assert.deepEqual(await small(), []);
  await page.locator('[data-tab-of="events"]').tap();
  await until('the events are here', () => page.locator('#list').isVisible());
  rise(await tops(['.world h2', '#charts', '#list']));
  assert.deepEqual(await small(), []);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
  faultless();
});
