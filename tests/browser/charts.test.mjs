// Histogram and lanes: one axis of time above the list, for the pointer, for keys, and for those who see neither.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { launch, live, open, shot } from './helper/browser.mjs';
import { needsBinary } from './helper/environment.mjs';
import { gap, own, record } from './helper/incident.mjs';
import { Server } from './helper/server.mjs';
import { atRest, shiftsOf, watchShifts } from './helper/shifts.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {Server} */
let server;
const BEGAN = Date.UTC(2025, 10, 22, 3);
const at = (/** @type {number} */ second) => BEGAN + second * 1_000;
const iso = (/** @type {number} */ second) => new Date(at(second)).toISOString().replace('.000Z', 'Z');
/** Five minutes, of which the first is before everything. */
const RANGE = `since=${iso(-60)}&until=${iso(240)}`;

/** A service that is made again and fails, one that is unhealthy, one that runs out of memory on another host, a job, probes, and a gap. */
function story() {
  /** @type {any[]} */
  const records = [];
  const add = (/** @type {number} */ second, /** @type {string} */ action, /** @type {string} */ name, /** @type {Record<string, string>} */ more = {}, /** @type {any} */ { letter = 'a', source = 'local', ...marks } = {}) => {
    const attributes = { name: `shop-${name}-1`, image: 'shop/app:1', 'com.docker.compose.project': 'shop', 'com.docker.compose.service': name, ...more };
    records.push([second, (/** @type {number} */ seq) => record(seq, at(second), 'container', action, attributes, { id: letter.repeat(64), source, marks })]);
  };
  records.push([0, (/** @type {number} */ seq) => own(seq, at(0), 'connect', { reason: 'start' })]);
  for (const [name, letter] of [['db', 'b'], ['api', 'a'], ['web', 'c']]) {
    add(1, 'create', name, {}, { letter });
    add(1.5, 'start', name, {}, { letter });
  }
  for (let probe = 2; probe < 230; probe += 1) add(probe, 'exec_create: probe', 'db', {}, { letter: 'b', noise: 'healthcheck' });
  add(59, 'kill', 'api', { signal: '15' });
  add(59.1, 'die', 'api', { exitCode: '0' });
  add(59.2, 'destroy', 'api');
  add(60, 'create', 'api', { image: 'shop/app:2' }, { letter: 'd' });
  for (const [n, second] of [61, 63, 66, 70, 78].entries()) {
    add(second, 'start', 'api', { image: 'shop/app:2' }, { letter: 'd' });
    add(second + 1, 'die', 'api', { exitCode: String(n === 4 ? 3 : 1), image: 'shop/app:2' }, { letter: 'd' });
  }
  add(100, 'health_status: unhealthy', 'web', {}, { letter: 'c' });
  records.push([150, (/** @type {number} */ seq) => gap(seq, at(120), at(150))]);
  add(180, 'oom', 'cache', { name: 'cache' }, { letter: 'e', source: 'edge' });
  add(180.2, 'die', 'cache', { name: 'cache', exitCode: '137' }, { letter: 'e', source: 'edge' });
  add(200, 'health_status: healthy', 'web', {}, { letter: 'c' });
  return records.sort((a, b) => a[0] - b[0]).map(([, make], n) => make(n + 1));
}

before(async () => {
  if (needsBinary.skip) return;
  browser = await launch();
  server = await Server.of(story());
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** @param {string} query @param {import('playwright-core').BrowserContextOptions} [options] */
async function charts(query, options = {}) {
  const tab = await open(browser, `${server.base}/?v=events&${query}`, { timezoneId: 'UTC', ...options });
  await drawn(tab.page);
  return tab;
}
const drawn = (/** @type {Page} */ page) => until('the charts are drawn', () => page.locator('#charts[data-drawn="true"] .ch-lanes li').first().isVisible());
const address = (/** @type {Page} */ page) => new URL(page.url()).searchParams;
const listed = (/** @type {Page} */ page) => page.evaluate(() => /** @type {any} */ (globalThis).shipslog.records());
/** @param {Page} page @param {string} caption @returns {Promise<string[][]>} heads and rows of a table for those who do not see */
const table = (page, caption) => page.evaluate((text) => {
  const found = [...document.querySelectorAll('#charts table')].find((one) => one.querySelector('caption')?.textContent?.startsWith(text));
  return [...(found?.querySelectorAll('tr') ?? [])].map((row) => [...row.children].map((cell) => cell.textContent ?? ''));
}, caption);

/** @param {Page} page @param {number} from @param {number} to parts of the axis */
async function drag(page, from, to) {
  const { x, y, width } = /** @type {any} */ (await page.locator('.ch-brush').boundingBox());
  await page.mouse.move(x + from * width, y + 30);
  await page.mouse.down();
  await page.mouse.move(x + ((from + to) / 2) * width, y + 30, { steps: 4 });
  await page.mouse.move(x + to * width, y + 30, { steps: 4 });
  await page.mouse.up();
}

test('the tables for screen readers say what the API says', needsBinary, async () => {
  const answers = /** @type {Record<string, any>} */ ({});
  const tab = await open(browser, `${server.base}/?v=events`, { timezoneId: 'UTC' });
  tab.page.on('response', async (response) => {
    const name = /api\/v1\/(histogram|lifelines)/.exec(response.url())?.[1];
    if (name && response.url().includes('since=2025')) answers[name] = await response.json();
  });
  await tab.page.goto(`${server.base}/?v=events&${RANGE}`);
  await drawn(tab.page);
  const { histogram, lifelines } = await until('both were asked for, once', () => answers.histogram && answers.lifelines && answers);
  const sum = (/** @type {string} */ name) => histogram.bins.reduce((/** @type {number} */ all, /** @type {number[]} */ bin) => all + bin[histogram.classes.indexOf(name)], 0);
  const [heads, ...rows] = await table(tab.page, 'Records by time');
  assert.deepEqual(heads, ['from', 'failed', 'out of memory', 'health', 'changed', 'stopped', 'routine']);
  const routine = ['start', 'exec', 'probe', 'other', 'recorder'].reduce((all, name) => all + sum(name), 0);
  const all = ['failure', 'oom', 'health', 'change', 'stop'].map(sum);
  assert.deepEqual(all, [6, 1, 1, 0, 1]);
  // What is made again, as a lane says with a C, is a change.
  const [failed, oom, health, changed, stopped] = all;
  assert.deepEqual(rows.at(-1)?.slice(1).map(Number), [failed, oom, health, changed + 1, stopped, routine - 1]);
  for (const place of [1, 2, 3, 4, 5, 6]) assert.equal(rows.slice(0, -1).reduce((total, row) => total + Number(row[place]), 0), Number(rows.at(-1)?.[place]), heads[place]);
  const [, ...lanes] = await table(tab.page, 'Lanes');
  const deaths = (/** @type {any} */ { marks }) => marks.reduce((/** @type {number} */ total, /** @type {any[]} */ mark) => total + (mark[1] === 'die' ? Math.max(1, mark[4]) : 0), 0);
  assert.deepEqual(new Map(lanes.map(([name, , failures]) => [name, Number(failures)])), new Map(lifelines.lanes.map((/** @type {any} */ lane) => [`${lane.key} on ${lane.source}`, deaths(lane)])));
  assert.match(lanes.find(([name]) => name.startsWith('shop/api'))?.[4] ?? '', /22 Nov 03:01:00, re-created: shop\/app:1 → shop\/app:2/);
  tab.faultless();
});

test('what is lost, and what was before the recording, is said in words', needsBinary, async () => {
  const { page, faultless } = await charts(RANGE);
  const words = await page.locator('.ch-plot text.ch-words').allTextContents();
  assert.deepEqual(words, ['not recorded', '30 s lost']);
  assert.match(await page.locator('#charts caption').first().textContent() ?? '', /Nothing is recorded before 03:00:00\. Events of local from 03:02:00\.000 to 03:02:30\.000 may be lost: ring-overflow\./);
  // On the lanes of that host, and on no other.
  const lost = await page.evaluate(() => [...document.querySelectorAll('.ch-lanes li')].map((li) => [li.querySelector('.ch-name')?.textContent, li.querySelectorAll('.ch-lost').length]));
  assert.deepEqual(new Map(/** @type {any} */ (lost)).get('shop/api'), 1);
  assert.deepEqual(new Map(/** @type {any} */ (lost)).get('shop/cache'), 0);
  faultless();
});

test('failing lanes come first, below their host, with a state in words', needsBinary, async () => {
  const { page } = await charts(RANGE);
  const lanes = await page.evaluate(() => [...document.querySelectorAll('.ch-lanes li')].map((li) => `${li.getAttribute('data-role')} ${li.querySelector('.ch-name')?.textContent}`));
  assert.ok(lanes.indexOf('service shop/api') < lanes.indexOf('service shop/db') || !lanes.includes('service shop/db'), lanes.join());
  assert.ok(lanes.indexOf('host local') < lanes.indexOf('service shop/api'), lanes.join());
  assert.ok(lanes.indexOf('host edge') >= 0 && lanes.indexOf('host edge') < lanes.indexOf('service shop/cache'), lanes.join());
  const state = (/** @type {string} */ name) => page.locator('.ch-lanes li', { hasText: name }).locator('.ch-state').first().textContent();
  assert.match(await state('shop/api') ?? '', /^down 2 min|^down 16\d s|^down 3 min/);
  await shot(page, 'charts-hosts');
});

test('a part is chosen by dragging, zoomed to with z, and left again', needsBinary, async () => {
  const { page, faultless } = await charts(RANGE);
  await drag(page, 0.395, 0.5);
  const [from, to] = (await until('it is in the address', () => address(page).get('sel')))?.split(',') ?? [];
  assert.ok(Math.abs(Date.parse(from) - at(58.5)) <= 2_000 && Math.abs(Date.parse(to) - at(90)) <= 2_000, `${from} ${to}`);
  assert.match(`${from}${to}`, /^[^.]+$/, 'whole seconds');
  assert.deepEqual([address(page).get('since'), address(page).get('until')], [iso(-60), iso(240)], 'the axis stays');
  assert.match(await page.locator('.ch-length').textContent() ?? '', /^3\d s$/);
  await until('the list has only that', async () => {
    const [all, records] = [story(), await listed(page)];
    const wanted = all.filter(({ time, noise }) => time >= from && time <= to && !noise).map(({ id }) => id);
    return records.length === wanted.length && wanted.every((id) => records.includes(id));
  });
  await page.keyboard.press('z');
  await until('the axis is that part', () => address(page).get('since') === from && address(page).get('until') === to && !address(page).get('sel'));
  await until('the ticks are finer', async () => (await page.locator('.ch-ticks text').allTextContents()).some((text) => text === '03:01:10'));
  await until('so are the bars', async () => (await page.locator('#charts caption').first().textContent())?.includes('under 1 s each'));
  await page.goBack();
  await page.goBack();
  await until('all of it again', () => address(page).get('since') === iso(-60) && !address(page).get('sel'));
  await until('nothing is chosen', () => page.locator('.ch-shade').isHidden());
  faultless();
});

test('a click takes a bar, two lead back, and an edge can be dragged', needsBinary, async () => {
  const { page } = await charts(RANGE);
  const { x, y, width } = /** @type {any} */ (await page.locator('.ch-brush').boundingBox());
  await page.mouse.click(x + 0.5 * width, y + 30);
  const sel = await until('a bar is chosen', () => address(page).get('sel'));
  const [from, to] = (sel ?? '').split(',').map(Date.parse);
  assert.ok(from <= at(90) && to >= at(90) && to - from < 20_000, sel ?? '');
  // Its right edge, to the right.
  const right = x + ((to - at(-60)) / 300_000) * width;
  await page.mouse.move(right, y + 30);
  await page.mouse.down();
  await page.mouse.move(right + 60, y + 30, { steps: 5 });
  await page.mouse.up();
  await until('it is wider', () => Date.parse(address(page).get('sel')?.split(',')[1] ?? '') > to + 5_000);
  assert.equal(Date.parse(address(page).get('sel')?.split(',')[0] ?? ''), from, 'the other edge stays');
  await page.mouse.dblclick(x + 0.9 * width, y + 30);
  await until('what was before', () => address(page).get('sel') === sel);
  await page.locator('.ch-tools button', { hasText: 'Clear' }).click();
  await until('nothing is chosen', () => !address(page).get('sel'));
});

test('the same by keys, spoken', needsBinary, async () => {
  const { page } = await charts(RANGE);
  const slider = page.getByRole('slider', { name: 'Part of the time' });
  const spoken = () => slider.getAttribute('aria-valuetext');
  assert.equal(await spoken(), 'nothing chosen');
  await slider.focus();
  await page.keyboard.press('ArrowRight');
  // It begins where most failed.
  assert.match(await spoken() ?? '', /^03:0\d:\d\d to 03:0\d:\d\d, .*: \d+ failed/);
  const first = await until('it is in the address', () => address(page).get('sel'));
  await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('Shift+ArrowRight');
  const wider = await until('it is wider', () => address(page).get('sel') !== first && address(page).get('sel'));
  assert.equal(wider?.split(',')[0], first?.split(',')[0]);
  assert.ok(Date.parse(wider?.split(',')[1] ?? '') > Date.parse(first?.split(',')[1] ?? ''));
  await page.keyboard.press('ArrowLeft');
  await until('it has moved', () => (address(page).get('sel') ?? '') < (wider ?? '') && address(page).get('sel') !== first);
  await page.keyboard.press('Escape');
  await until('nothing is chosen', async () => !address(page).get('sel') && (await spoken()) === 'nothing chosen');
  assert.ok(await slider.evaluate((element) => element === document.activeElement), 'the focus stays');
});

test('nothing moves under the pointer, and bars say what they hold', needsBinary, async () => {
  const { page } = await charts(RANGE);
  const order = () => page.locator('.ch-lanes .ch-name').allTextContents();
  const before = await order();
  const db = page.locator('.ch-lanes li', { hasText: 'shop/db' });
  await db.hover();
  // A worse one of its host comes first, as soon as the pointer has left.
  await page.evaluate((range) => /** @type {any} */ (globalThis).shipslog.charts.show({
    ...range, incidents: [{ id: 'x', severity: 'critical', state: 'open', title: 'db', start: range.since, end: null, source: 'local', subject: 'shop/db', subjects: [{ key: 'shop/db' }] }],
  }), { since: iso(-60), until: iso(240) });
  await until('the incident is drawn', async () => (await page.locator('.ch-bands .ch-band').count()) === 1);
  assert.deepEqual(await order(), before);
  const { x, y, width } = /** @type {any} */ (await page.locator('.ch-brush').boundingBox());
  await page.mouse.move(x + (240.2 / 300) * width, y + 30);
  await until('it comes first', async () => (await order()).indexOf('shop/db') < before.indexOf('shop/db'));
  assert.match(await page.locator('.ch-tip').textContent() ?? '', /^03:0[23]:\d\d(\.\d+)? to 03:0\d:\d\d(\.\d+)?: 1 failed, 1 out of memory/);
  await page.mouse.move(x + (195 / 300) * width, y + 30);
  await until('the gap says why', async () => /may be lost: ring-overflow/.test(await page.locator('.ch-tip').textContent() ?? ''));
});

test('a mark leads to its record, a span to its container and time', needsBinary, async () => {
  const { page } = await charts(RANGE);
  const api = page.locator('.ch-lanes li', { hasText: 'shop/api' });
  const mark = /** @type {any} */ (await api.locator('.ch-X').last().boundingBox());
  await page.mouse.move(mark.x + 7, mark.y + 7);
  assert.match(await page.locator('.ch-tip').textContent() ?? '', /^shop\/api · 03:01:\d\d\.?\d* ?.*failed, exit/);
  await page.mouse.click(mark.x + 7, mark.y + 7);
  await page.locator('#drawer').waitFor();
  const id = address(page).get('record');
  const found = story().find((one) => one.id === id);
  assert.equal(found?.event.Action, 'die');
  await page.goBack();
  await drawn(page);
  // By keys: into the lanes, down to it, and through it.
  await page.locator('.ch-lanes button[tabindex="0"]').focus();
  for (let n = 0; n < 6 && !(await page.evaluate(() => document.activeElement?.textContent?.startsWith('shop/web'))); n += 1) await page.keyboard.press('ArrowDown');
  const said = page.locator('#charts [role="status"]');
  /** @param {RegExp} wanted what is come to */
  const to = async (wanted) => {
    for (let n = 0; n < 12; n += 1) {
      await page.keyboard.press('ArrowRight');
      if (wanted.test(await said.textContent() ?? '')) return;
    }
    assert.fail(`${wanted} was not come to: ${await said.textContent()}`);
  };
  await to(/^not started from 03:00:01/);
  await to(/^03:01:40[.\d]*: unhealthy$/);
  await page.keyboard.press('Enter');
  await until('its record', () => address(page).get('record') === story().find(({ event }) => event.Action === 'health_status: unhealthy').id);
  await page.goBack();
  await drawn(page);
  const web = page.locator('.ch-lanes li', { hasText: 'shop/web' });
  const unhealthy = /** @type {any} */ (await web.locator('.ch-is-unhealthy').boundingBox());
  await page.mouse.click(unhealthy.x + unhealthy.width - 20, unhealthy.y + 4);
  await until('its filter', () => address(page).get('q') === 'project=shop service=web');
  assert.equal(address(page).get('sel'), `${iso(100)},${iso(200)}`);
  await until('only that lane is left', async () => (await page.locator('.ch-lanes li[data-role="service"]').count()) === 1);
});

test('a replay moves histogram and lanes along', needsBinary, async () => {
  const { page } = await charts(RANGE);
  const state = () => page.locator('.ch-lanes li', { hasText: 'shop/api' }).locator('.ch-state').textContent();
  const bars = () => page.locator('.ch-plot path.ch-failure').getAttribute('d');
  const whole = await bars();
  const moveTo = (/** @type {number|null} */ time) => page.evaluate((to) => /** @type {any} */ (globalThis).shipslog.charts.moveTo(to), time);
  await moveTo(at(62.5));
  await until('it waits', async () => (await state()) === 'waits');
  assert.equal((await bars())?.match(/M/g)?.length, 1);
  assert.ok(await page.locator('.ch-cursor').isVisible());
  await moveTo(at(30));
  await until('it runs', async () => (await state()) === 'runs');
  assert.equal(await bars(), '');
  await moveTo(null);
  await until('all of it', async () => (await bars()) === whole && !(await page.locator('.ch-cursor').isVisible()));
  // The real one.
  await page.locator('[data-part="speed"]').selectOption('1000');
  await page.locator('[data-part="toggle"]').click();
  await until('it moves', async () => (await page.locator('.ch-cursor').isVisible()) || /ended/.test(await page.locator('#state').getAttribute('data-state') ?? ''));
});

test('times are those of the zone chosen', needsBinary, async () => {
  const { page } = await charts(RANGE, { timezoneId: 'Asia/Kolkata' });
  const ticks = () => page.locator('.ch-ticks text').allTextContents();
  assert.ok((await ticks()).some((text) => text.startsWith('08:3')), (await ticks()).join());
  assert.match(await page.locator('.ch-day').textContent() ?? '', /22 Nov 2025, UTC\+05:30/);
  await page.locator('#zone').click();
  await until('UTC', async () => (await ticks()).some((text) => text.startsWith('03:0')) && (await page.locator('.ch-day').textContent()) === '22 Nov 2025, UTC');
  assert.match((await table(page, 'Records by time'))[1][0], /^22 Nov 03:/);
});

test('live, it grows by itself and moves nothing below it', needsBinary, async (t) => {
  const demo = await Server.demo();
  t.after(() => demo.close());
  const { page, faultless } = await open(browser, `${demo.base}/?v=events`, { timezoneId: 'UTC' });
  await live(page);
  await until('it is drawn', () => page.locator('#charts[data-drawn="true"]').isVisible());
  // New incidents have rows of their own, in the column beside.
  await watchShifts(page, '.side');
  await atRest(page);
  const total = async () => ((await table(page, 'Records by time')).at(-1) ?? []).slice(1).reduce((sum, text) => sum + Number(text), 0);
  const before = await until('something happened', total);
  const runs = () => page.locator('.ch-is-running').first().getAttribute('d');
  const drawnAs = await runs();
  await until('more happened', async () => (await total()) > before);
  await until('the lanes grow', async () => (await runs()) !== drawnAs);
  const { shift, moved } = await shiftsOf(page);
  assert.ok(shift <= 0.02, `moved by ${shift}: ${moved.join(', ')}`);
  assert.equal(await page.locator('body.several, #hosts:not([hidden])').count(), 0, 'the recorder itself is no second host');
  faultless();
});

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  test(`axe finds nothing, ${colorScheme}`, needsBinary, async () => {
    const axe = await readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
    const { page } = await charts(`${RANGE}&sel=${iso(58)},${iso(90)}`, { colorScheme, bypassCSP: true });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run('#charts'));
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(' ')}`), []);
    await shot(page, `charts-${colorScheme}`);
  });
}

test('with forced colours marks have borders, and at 390 pixels and twice the size nothing is cut off', needsBinary, async () => {
  const forced = await charts(RANGE, { forcedColors: 'active' });
  const stroke = await forced.page.locator('.ch-X > :first-child').first().evaluate((element) => getComputedStyle(element).stroke);
  assert.notEqual(stroke, 'none');
  assert.notEqual(await forced.page.locator('.ch-lane').first().evaluate((lane) => {
    const tick = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    tick.setAttribute('class', 'ch-mark ch-C');
    lane.append(tick);
    return getComputedStyle(tick).stroke;
  }), 'none', 'a tick');
  assert.equal(await forced.page.locator('.ch-X text').first().textContent().then((text) => text?.[0]), 'X');
  await shot(forced.page, 'charts-forced');
  for (const viewport of [{ width: 390, height: 844 }, { width: 640, height: 400 }]) {
    const { page } = await open(browser, `${server.base}/?v=incidents&${RANGE}`, { timezoneId: 'UTC', viewport });
    await drawn(page);
    const overhang = await page.evaluate(() => {
      const box = /** @type {HTMLElement} */ (document.getElementById('charts'));
      return Math.max(box.scrollWidth - box.clientWidth, document.documentElement.scrollWidth - document.documentElement.clientWidth);
    });
    assert.ok(overhang <= 0, `cut off at the side by ${overhang} pixels at ${viewport.width}`);
    // Whatever is above it, the list can be come to.
    await page.getByRole('link', { name: 'Events' }).click();
    await page.locator('#list').scrollIntoViewIfNeeded();
    const list = await page.locator('#list').evaluate((element) => element.getBoundingClientRect());
    assert.ok(list.height >= 40 && list.top < viewport.height, JSON.stringify(list));
    await shot(page, `charts-${viewport.width}`);
  }
});

test('what was too much to read is said where it is missing', needsBinary, async () => {
  const { page } = await open(browser, `${server.base}/login`);
  await page.route('**/api/v1/lifelines**', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), ended_after: '7f3c9a1e-99', read_from: '2025-11-22T03:01:00.000000000Z' } });
  });
  await page.goto(`${server.base}/?v=events&${RANGE}`);
  await until('it is said', async () => /the lanes begin at 03:01:00, .*the lanes end with record 7f3c9a1e-99/.test(await page.locator('.ch-note').innerText()));
});

test('on paper there is all of it, and no buttons', needsBinary, async () => {
  const { page } = await charts(RANGE);
  await page.emulateMedia({ media: 'print' });
  assert.equal(await page.locator('#charts').evaluate((box) => getComputedStyle(box).overflowY), 'visible');
  assert.ok(await page.locator('.ch-tools').isHidden());
});
