// The live page in Firefox: what a person does on it, over recordings of real engines, and live over a killed
// server. The stories in Chromium hold the page to more of its words; here it has to work the same.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { needsFirefox } from './helper/environment.mjs';
import { click, clipboard, count, isShown, launch, live, open, press, recordsOf, shot, stateOf, text, texts } from './helper/firefox.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('puppeteer-core').Page} Page */

const CHAIN = '06127134-70c';
const DB_DOWN = 'orders/db crashed and is down; then api and web failed.';
/** All of the recording, a minute more before it. */
const [SINCE, UNTIL] = ['2026-11-29T01:43:00Z', '2026-11-29T01:45:00Z'];
const RANGE = `since=${SINCE}&until=${UNTIL}`;
/** The demo has quiet moments. */
const NEW_RECORDS = 2;
/** What a person has asked of all pages, as Firefox keeps it. */
const DARK = { 'layout.css.prefers-color-scheme.content-override': 0 };
const FORCED = { 'browser.display.document_color_use': 2 };

/** @type {Awaited<ReturnType<typeof launch>>} */
let fox;
/** @type {Server} */
let chain;
/** @type {Server} */
let day;
before(async () => {
  if (needsFirefox.skip) return;
  [fox, chain, day] = await Promise.all([launch(DARK), Server.recording('dependency-chain-a'), Server.recording('day-a')]);
});
after(async () => {
  await fox?.close();
  await Promise.all([chain?.close(), day?.close()]);
});

/** A person's window of its own. @param {import('node:test').TestContext} t */
async function person(t) {
  const context = await fox.browser.createBrowserContext();
  t.after(() => context.close());
  return context;
}

/** @param {import('node:test').TestContext} t @param {Server} server @param {string} [query] @param {Parameters<typeof open>[2]} [how] */
const shown = async (t, server, query = '', how = {}) => open(await person(t), `${server.base}/${query}`, how);

const address = (/** @type {Page} */ page) => new URL(page.url()).searchParams;
/** @param {Page} page @param {string|RegExp} wanted */
const isTold = (page, wanted) => until(`the incident says ${wanted}`, async () => {
  const told = await text(page, '#incident h2');
  return typeof wanted === 'string' ? told === wanted : wanted.test(told);
});
const isLoaded = (/** @type {Page} */ page) => until('the evidence is here', () => count(page, '.records li'));
const isDrawn = (/** @type {Page} */ page) => until('the charts are drawn', () => isShown(page, '#charts[data-drawn="true"] .ch-lanes li'));
/** @param {Page} page @param {string} [from] @param {string} [to] what the log has of a time is listed, in its order */
const isListed = (page, from = SINCE, to = UNTIL) => until('the list has what the log has', async () => {
  const isWithin = (/** @type {string} */ time) => Date.parse(time) >= Date.parse(from) && Date.parse(time) <= Date.parse(to);
  const records = (await chain.records()).filter(({ time, noise }) => isWithin(time) && !noise);
  return records.length > 0 && JSON.stringify(await recordsOf(page)) === JSON.stringify(records.map(({ id }) => id));
});
/** @param {Page} page @param {string} caption @returns {Promise<string[][]>} heads and rows of a table for those who do not see */
const table = (page, caption) => page.evaluate((wanted) => {
  const found = [...document.querySelectorAll('#charts table')].find((one) => one.querySelector('caption')?.textContent?.startsWith(wanted));
  return [...(found?.querySelectorAll('tr') ?? [])].map((row) => [...row.children].map((cell) => cell.textContent ?? ''));
}, caption);

test('Firefox: the page opens on the worst incident and tells it in three sections', needsFirefox, async (t) => {
  const { page, faultless } = await shown(t, chain);
  await isTold(page, DB_DOWN);
  await isLoaded(page);
  assert.equal(address(page).get('i'), CHAIN);
  await until('the tab counts it', async () => (await page.title()) === '(1) shipslog');
  assert.equal(await text(page, '.world h2'), '1 incident is open');
  assert.match(await text(page, '.incident-row[data-state="open"]'), /orders\/db.*Crashed: exit 137.*critical · open/s);
  assert.deepEqual(await texts(page, '#incident section h3'), ['What changed', 'Timeline', 'Evidence']);
  const [changed, course, evidence] = await texts(page, '#incident section:has(> h3)');
  assert.match(changed, /Nothing of its own was changed in the 17 s recorded before it.*What failed, in this order.*orders\/db.*orders\/api.*orders\/web/s);
  assert.match(course, /db ended with exit 137.*api ended with exit 11, 6 more times.*web became unhealthy/s);
  assert.match(evidence, /db.*api.*web.*running, healthy\s+running, unhealthy/s);
  await shot(page, 'incident');
  faultless();
});

test('Firefox: words lead to records, Back leads back, and a link shows the same to somebody elsewhere', needsFirefox, async (t) => {
  const { page, faultless } = await shown(t, chain);
  await isTold(page, DB_DOWN);
  await isLoaded(page);
  await click(page, '.steps a');
  await until('the record is open', async () => (await text(page, '#drawer [data-part="id"]')) === '06127134-70');
  assert.equal(await isShown(page, '#incident'), false);
  const opened = page.url();
  await page.goBack();
  await isTold(page, DB_DOWN);
  await until('the incident is back', async () => (await isShown(page, '#incident')) && !(await isShown(page, '#list')));

  await click(page, '.incident-acts button', 'Copy link');
  await until('it is copied', async () => (await text(page, '.said')) === 'copied');
  const link = await clipboard(page);
  assert.match(link, new RegExp(`v=incidents&since=2026-11-29T01%3A42%3A56\\.000Z&until=2026-11-29T\\S+&i=${CHAIN}`));
  for (const name of ['Report', 'Perfetto', 'Evidence']) {
    const href = await page.$$eval('.incident-acts a', (all, wanted) => all.find((one) => one.textContent?.startsWith(wanted))?.getAttribute('href') ?? '', name);
    assert.equal((await fetch(href)).status, 200, name);
  }
  const other = await shown(t, chain, link.slice(chain.base.length + 1), { zone: 'Asia/Tokyo' });
  await isTold(other.page, DB_DOWN);
  assert.match(await text(other.page, '.facts'), /since 2026-11-29 10:43:56 Asia\/Tokyo/);
  await other.page.goto(opened);
  await until('the record is open there, too', async () => (await text(other.page, '#drawer [data-part="id"]')) === '06127134-70');
  assert.equal(other.page.url(), opened);
  assert.deepEqual(address(other.page).get('record'), '06127134-70');
  faultless();
  other.faultless();
});

test('Firefox: a part chosen by the mouse changes list and address, and Back undoes it', needsFirefox, async (t) => {
  const { page, faultless } = await shown(t, chain, `?v=events&${RANGE}`);
  await isDrawn(page);
  await isListed(page);
  const { x, y, width } = await page.$eval('.ch-brush', (element) => element.getBoundingClientRect().toJSON());
  const to = (/** @type {number} */ part) => page.mouse.move(x + part * width, y + 30, { steps: 4 });
  await to(0.5);
  await page.mouse.down();
  await to(0.6);
  await to(0.75);
  await page.mouse.up();
  const [from = '', until_ = ''] = (await until('it is in the address', () => address(page).get('sel')))?.split(',') ?? [];
  assert.ok(Math.abs(Date.parse(from) - Date.parse('2026-11-29T01:44:00Z')) <= 2_000, from);
  assert.ok(Math.abs(Date.parse(until_) - Date.parse('2026-11-29T01:44:30Z')) <= 2_000, until_);
  assert.deepEqual([address(page).get('since'), address(page).get('until')], [SINCE, UNTIL], 'the axis stays');
  await isListed(page, from, until_);
  await shot(page, 'brush');
  await page.goBack();
  await until('nothing is chosen', async () => !address(page).get('sel') && !(await isShown(page, '.ch-shade')));
  await isListed(page);
  // A click takes a bar.
  await page.mouse.click(x + 0.5 * width, y + 30);
  const [first, last] = (await until('a bar is chosen', () => address(page).get('sel')))?.split(',').map(Date.parse) ?? [];
  assert.ok(first < last && last - first < 10_000, `${first} to ${last}`);
  await click(page, '.ch-tools button', 'Clear');
  await until('nothing is chosen', () => !address(page).get('sel'));
  faultless();
});

test('Firefox: a part chosen by keys changes list and address, is spoken, and Back undoes it', needsFirefox, async (t) => {
  const { page, faultless } = await shown(t, chain, `?v=events&${RANGE}`);
  await isDrawn(page);
  await isListed(page);
  const spoken = () => page.$eval('.ch-brush', (element) => element.getAttribute('aria-valuetext') ?? '');
  const sel = () => address(page).get('sel') ?? '';
  assert.equal(await spoken(), 'nothing chosen');
  await page.focus('.ch-brush');
  await press(page, 'ArrowRight');
  assert.match(await spoken(), /^01:4\d:\d\d to 01:4\d:\d\d, .*: \d+ failed/);
  const first = await until('it is in the address', sel);
  await press(page, 'Shift', 'ArrowRight');
  const wide = await until('it is wider', () => sel() > first && sel());
  await press(page, 'Shift', 'ArrowRight');
  const wider = await until('it is wider again', () => sel() > wide && sel());
  await isListed(page, .../** @type {[string, string]} */ (wider.split(',')));
  await press(page, 'ArrowLeft');
  await until('it has moved', () => sel() && sel() < wider && sel() !== first);
  await page.goBack();
  await until('Back undoes the last one', () => sel() === wider);
  await isListed(page, .../** @type {[string, string]} */ (wider.split(',')));
  await page.focus('.ch-brush');
  await press(page, 'Escape');
  await until('nothing is chosen', async () => !sel() && (await spoken()) === 'nothing chosen');
  await isListed(page);
  faultless();
});

test('Firefox: a day is gone through by keys', needsFirefox, async (t) => {
  const { page, faultless } = await shown(t, day);
  await until('all are listed', async () => (await count(page, '.incident-row')) === 7);
  assert.equal(await isShown(page, '#incident'), false, 'nothing is open, so the events are shown');
  await press(page, 'i');
  await isTold(page, /^orders\/db crashed/);
  await press(page, 'j');
  await isTold(page, /^10 containers failed/);
  await press(page, 'k');
  await isTold(page, /^orders\/db crashed/);
  await isLoaded(page);
  await press(page, 'd');
  assert.equal(await page.evaluate(() => document.activeElement?.className), 'changed');
  await press(page, 'm');
  await until('the report is copied', async () => (await clipboard(page)).startsWith('# orders/db crashed'));
  await press(page, 'z');
  await until('its range is shown', () => address(page).get('since')?.startsWith('2026-11-28T18:29'));
  await until('only those of the range are listed', async () => (await count(page, '.incident-row')) === 1);
  const since = address(page).get('since');
  await press(page, '[');
  await until('the range before is shown', () => address(page).get('since') !== since);
  await press(page, 'b');
  await until('Back by key', () => address(page).get('since') === since);
  await press(page, 'l');
  await until('it is live again', async () => !address(page).has('since') && (await stateOf(page)).state === 'live');
  await press(page, 'Escape');
  await until('the events are shown', async () => (await isShown(page, '#list')) && !(await isShown(page, '#incident')));
  // Enter opens what is selected in the list, Esc closes it.
  await page.focus('#list');
  await press(page, 'ArrowUp');
  await press(page, 'Enter');
  await until('a record is open', () => isShown(page, '#drawer'));
  const id = await text(page, '#drawer [data-part="id"]');
  assert.ok((await recordsOf(page)).includes(id), id);
  await press(page, 'Escape');
  await until('it is closed', async () => !(await isShown(page, '#drawer')));
  // Enter on an incident in the list opens that.
  await page.focus('.incident-row a, a.incident-row');
  await press(page, 'Enter');
  await until('an incident is open', () => isShown(page, '#incident h2'));
  await press(page, 'c');
  await until('the commands are shown', () => isShown(page, '#commands'));
  assert.match(await text(page, '#commands'), /shipslog report da1ca978-\S+ --url \S+ --format markdown/);
  await press(page, 'Escape');
  await until('they are gone', async () => !(await isShown(page, '#commands')));
  await shot(page, 'day');
  faultless();
});

test('Firefox: a mark in a lane leads to its record, by mouse and by keys', needsFirefox, async (t) => {
  const { page, faultless } = await shown(t, chain, `?v=events&${RANGE}`);
  await isDrawn(page);
  const lane = await page.evaluateHandle(() => [...document.querySelectorAll('.ch-lanes li')].find((li) => li.textContent?.includes('orders/db')));
  const { x, y } = await lane.evaluate((li) => /** @type {Element} */ (/** @type {Element} */ (li).querySelector('.ch-X')).getBoundingClientRect().toJSON());
  await page.mouse.move(x + 7, y + 7);
  await until('it says what it is', async () => /^orders\/db · 01:43:56.*exit 137/.test(await page.$eval('.ch-tip', (tip) => tip.textContent ?? '')));
  await page.mouse.click(x + 7, y + 7);
  await until('its record is open', async () => (await text(page, '#drawer [data-part="id"]')) === '06127134-70');
  await page.goBack();
  await isDrawn(page);
  await until('it is closed', async () => !(await isShown(page, '#drawer')));
  await lane.evaluate((li) => /** @type {HTMLElement} */ (/** @type {Element} */ (li).firstElementChild).focus());
  const said = () => page.$eval('#charts [role="status"]', (element) => element.textContent ?? '');
  for (let n = 0; n < 6 && !/exit 137/.test(await said()); n += 1) await press(page, 'ArrowRight');
  assert.match(await said(), /exit 137/);
  await press(page, 'Enter');
  await until('its record is open again', async () => address(page).get('record') === '06127134-70' && (await isShown(page, '#drawer')));
  faultless();
});

test('Firefox: the tables for screen readers say what the API says', needsFirefox, async (t) => {
  const context = await person(t);
  const { page, faultless } = await open(context, `${chain.base}/login`);
  /** @type {Record<string, string>} */
  const asked = {};
  page.on('request', (request) => {
    const name = /api\/v1\/(histogram|lifelines)\?.*since=2026/.exec(request.url())?.[1];
    if (name) asked[name] = request.url().slice(chain.base.length);
  });
  await page.goto(`${chain.base}/?v=events&${RANGE}`);
  await isDrawn(page);
  const { histogram, lifelines } = await until('both were asked for', () => asked.histogram && asked.lifelines && asked);
  const [counts, lines] = await Promise.all([chain.json(histogram), chain.json(lifelines)]);
  const sum = (/** @type {string} */ name) => counts.bins.reduce((/** @type {number} */ all, /** @type {number[]} */ bin) => all + bin[counts.classes.indexOf(name)], 0);
  const [heads, ...rows] = await table(page, 'Records by time');
  assert.deepEqual(heads, ['from', 'failed', 'out of memory', 'health', 'changed', 'stopped', 'routine']);
  const wanted = ['failure', 'oom', 'health', 'change', 'stop'].map(sum);
  assert.deepEqual(rows.at(-1)?.slice(1, 6).map(Number), wanted);
  assert.ok(wanted[0] >= 9, `${wanted[0]} failed`);
  const [, ...lanes] = await table(page, 'Lanes');
  assert.deepEqual(lanes.map(([name]) => name).sort(), lines.lanes.map((/** @type {any} */ { key }) => key).sort());
  assert.deepEqual(lanes.find(([name]) => name.startsWith('orders/db'))?.slice(1, 4), ['down', '1', '0']);
  faultless();
});

test('Firefox: at 390 pixels there are tabs, and one thing at a time', needsFirefox, async (t) => {
  const { page, faultless } = await shown(t, chain, '', { width: 390, height: 844 });
  const overhang = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(await page.evaluate(() => innerWidth), 390);
  await until('the list is shown', () => isShown(page, '.incident-row'));
  assert.equal(await isShown(page, '#list'), false);
  assert.ok((await overhang()) <= 0, 'the list is wider than the screen');
  await shot(page, '390-list');
  await click(page, '.incident-row');
  await isTold(page, DB_DOWN);
  await isLoaded(page);
  assert.equal(await isShown(page, '.incident-row'), false);
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'H2');
  assert.ok((await overhang()) <= 0, 'the incident is wider than the screen');
  await shot(page, '390-incident');
  await click(page, '[data-tab-of="events"]');
  await until('the events are shown', async () => (await count(page, '#list .row:not([hidden])')) > 5 && !(await isShown(page, '#incident')));
  assert.equal(await isShown(page, '.incident-row'), false);
  await shot(page, '390-events');
  await click(page, '[data-tab-of="incidents"]');
  await until('the list is back', async () => (await isShown(page, '.incident-row')) && !(await isShown(page, '#list')));
  faultless();
});

test('Firefox: a replay of an incident moves list and lanes, and stops', needsFirefox, async (t) => {
  const { page, faultless } = await shown(t, chain, `?v=incidents&i=${CHAIN}`);
  await isTold(page, DB_DOWN);
  await isLoaded(page);
  await press(page, 'r');
  await until('it runs, and less is known at that time', async () => (await isShown(page, '.ch-cursor')) && (await recordsOf(page)).length > 0
    && !(await texts(page, '.incident-row')).some((row) => /9 times/.test(row)));
  await click(page, '#replay button', 'Stop');
  await until('it is over', async () => !(await isShown(page, '.ch-cursor')));
  faultless();
});

test('Firefox: axe finds nothing in the dark, on an incident and on a record at 390 pixels', needsFirefox, async (t) => {
  const axe = await readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
  const incident = await shown(t, chain);
  await isLoaded(incident.page);
  const events = await shown(t, chain, `?v=events&${RANGE}&record=06127134-70`, { width: 390, height: 844 });
  await until('the record is open', () => isShown(events.page, '#drawer'));
  for (const { page } of [incident, events]) {
    assert.ok(await page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches));
    await page.bringToFront();
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run());
    assert.deepEqual(violations.map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ { target }) => target).join(' ')}`), [], page.url());
  }
});

test('Firefox: marks keep borders in forced colours', needsFirefox, async (t) => {
  const other = await launch(FORCED);
  t.after(() => other.close());
  const { page, faultless } = await open(other.browser.defaultBrowserContext(), chain.base);
  await isLoaded(page);
  await isDrawn(page);
  assert.ok(await page.evaluate(() => matchMedia('(forced-colors: active)').matches));
  assert.notEqual(await page.$eval('.mk', (element) => getComputedStyle(element).borderTopWidth), '0px');
  assert.notEqual(await page.$eval('.ch-X > :first-child', (element) => getComputedStyle(element).stroke), 'none');
  await shot(page, 'forced-colours');
  faultless();
});

test('Firefox: two tabs are live on one stream, which resumes without a gap after the server was killed', needsFirefox, async (t) => {
  const server = await Server.demo();
  t.after(() => server.close());
  const context = await person(t);
  const tabs = [await open(context, `${server.base}/?v=events&noise=1`), await open(context, `${server.base}/?v=events&noise=1`)];
  for (const { page } of tabs) await live(page);
  const newest = async (/** @type {Page} */ page) => Number((await stateOf(page)).lastId.split('-')[1]);
  /** @param {string} when */
  const grows = (when) => Promise.all(tabs.map(async ({ page }) => {
    const before = await newest(page);
    await until(`events arrive ${when}`, async () => (await newest(page)) >= before + NEW_RECORDS);
  }));
  await grows('before');
  await until('they are on one stream', async () => (await server.json('/api/v1/stats')).server.streams === 1);
  await server.kill();
  for (const { page } of tabs) {
    await until('the page has noticed', async () => (await stateOf(page)).state === 'reconnecting');
    await until('the page says so', async () => /reconnecting…/.test(await text(page, '#state')) && /will resume after \S+/.test(await text(page, '#proof')));
  }
  await shot(tabs[0].page, 'reconnecting');
  await server.up();
  for (const { page } of tabs) await live(page, 1);
  await grows('after it was started again');
  for (const { page, faultless } of tabs) {
    const shownIds = await recordsOf(page);
    const stored = (await server.records()).map(({ id }) => id);
    const from = stored.indexOf(shownIds[0]);
    assert.ok(from >= 0, `${shownIds[0]} is in the log`);
    assert.deepEqual(shownIds, stored.slice(from, from + shownIds.length), 'each record once, in the order of the log');
    const { missed, resets, resumes } = await stateOf(page);
    assert.deepEqual({ missed, resets }, { missed: 0, resets: 0 });
    assert.ok(resumes >= 1);
    await until('the page says so', async () => /^resumed \d+× · after \S+ · nothing missed$/.test(await text(page, '#proof')));
    faultless();
  }
});
