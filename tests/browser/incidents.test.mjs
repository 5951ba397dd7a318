// Incidents on the live page: the list, one incident, its address, keys, and what leaves the page, over recordings of
// real engines; and live, with containers that fail.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, live, open, shot } from './helper/browser.mjs';
import { docker, forget } from './helper/docker.mjs';
import { dockerHost, needsAll, needsBinary } from './helper/environment.mjs';
import { own, record } from './helper/incident.mjs';
import { Server } from './helper/server.mjs';
import { atRest, shiftsOf, watchShifts } from './helper/shifts.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

const CHAIN = '06127134-70c';
const DEPLOY = '5ba08de8-42c';
/** Nothing may move more while events come. */
const MAX_SHIFT = 0.02;

/** @type {import('playwright-core').Browser} */
let browser;
let axe = '';
before(async () => {
  if (needsBinary.skip) return;
  browser = await launch();
  axe = await readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
});
after(() => browser?.close());

/** @param {import('node:test').TestContext} t @param {string} name @param {string} [query] @param {import('playwright-core').BrowserContextOptions} [options] */
async function recording(t, name, query = '', options = {}) {
  const server = await Server.recording(name);
  t.after(() => server.close());
  return { server, ...(await open(browser, `${server.base}/${query}`, { timezoneId: 'UTC', ...options })) };
}

const rows = (/** @type {Page} */ page) => page.locator('.incident-row');
const title = (/** @type {Page} */ page) => page.locator('#incident h2');
/** @param {Page} page @param {string|RegExp} text */
const isTold = (page, text) => until(`the incident says ${text}`, async () => {
  const told = (await title(page).count()) ? await title(page).innerText() : '';
  return typeof text === 'string' ? told === text : text.test(told);
});
const section = (/** @type {Page} */ page, /** @type {string} */ name) => page.getByRole('region', { name, exact: true });
const isLoaded = (/** @type {Page} */ page) => until('the evidence is here', () => page.locator('.records li').count());
const overhang = (/** @type {Page} */ page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

test('the page opens on what is open and worst, and tells it in three sections', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'dependency-chain-a');
  await isTold(page, 'orders/db crashed and is down; then api and web failed.');
  await isLoaded(page);
  await until('the tab counts it', async () => (await page.title()) === '(1) shipslog');
  assert.equal(await page.locator('.world h2').innerText(), '1 incident is open');
  assert.deepEqual(await page.locator('#incident section h3').allInnerTexts(), ['What changed', 'Timeline', 'Evidence']);
  const changed = await section(page, 'What changed').innerText();
  assert.match(changed, /Nothing of its own was changed in the 17 s recorded before it.*What was before (2026-11-29 )?01:43:\d\d is not recorded/s);
  assert.match(changed, /What failed, in this order.*orders\/db.*orders\/api.*orders\/web/s);
  assert.match(changed, /Docker was not asked to kill it and reported no lack of memory/);
  const course = await section(page, 'Timeline').locator('.steps > li').allInnerTexts();
  assert.equal(course.filter((row) => /6 more times/.test(row)).length, 1, 'a loop is one row');
  const states = await section(page, 'Evidence').locator('.states tbody tr').allInnerTexts();
  assert.deepEqual(states.map((row) => row.split('\t')[0]), ['db', 'api', 'web']);
  assert.match(states[2], /running, healthy\s+running, unhealthy/);
  await shot(page, 'incident-open');
  faultless();
});

test('each word leads to its record, Back leads back, and a link shows the same elsewhere', needsBinary, async (t) => {
  const { server, page, faultless } = await recording(t, 'dependency-chain-a', '', { permissions: ['clipboard-read', 'clipboard-write'] });
  await isTold(page, /^orders\/db crashed/);
  await isLoaded(page);
  await section(page, 'Timeline').locator('.steps a').first().click();
  await until('the record is open', async () => (await page.locator('#drawer [data-part="id"]').innerText()) === '06127134-70');
  assert.match(page.url(), /v=events.*since=.*until=.*record=06127134-70/);
  assert.ok(await page.locator('#incident').isHidden());
  await page.goBack();
  await isTold(page, /^orders\/db crashed/);
  assert.ok(await page.locator('#list').isHidden());

  await page.getByRole('button', { name: 'Copy link' }).click();
  await until('it is copied', async () => (await page.locator('.said').innerText()) === 'copied');
  const link = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(link, new RegExp(`v=incidents&since=2026-11-29T01%3A42%3A56\\.000Z&until=2026-11-29T\\S+&i=${CHAIN}`));
  const other = await open(browser, link, { timezoneId: 'Asia/Tokyo' });
  await isTold(other.page, /^orders\/db crashed/);
  assert.match(await other.page.locator('.facts').innerText(), /since 2026-11-29 10:43:56 Asia\/Tokyo/);

  await page.keyboard.press('m');
  await until('the report is copied', async () => (await page.evaluate(() => navigator.clipboard.readText())).startsWith('# orders/db crashed'));
  for (const name of ['Report', 'Perfetto', 'Evidence']) {
    const href = await page.locator('.incident-acts').getByRole('link', { name, exact: true }).getAttribute('href');
    assert.equal((await fetch(/** @type {string} */ (href))).status, 200, name);
  }
  await page.locator('.incident-acts').getByRole('link', { name: 'Events', exact: true }).click();
  await until('its events are shown', async () => (await page.locator('#list .row:not([hidden])').count()) > 5);
  assert.match(await page.locator('#filter').inputValue(), /^container=052d44d7e89b container=dc2b42570304/);
  assert.equal((await server.json(`/api/v1/incidents/${CHAIN}`)).severity, 'critical');
  faultless();
  other.faultless();
});

test('what changed is a table with the image first, and says how it was undone', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'compose-bad-deploy-a', `?v=incidents&i=${DEPLOY}`);
  await isTold(page, 'shop/api crashed 9 times in 39\u00a0s after a deploy, until it was rolled back.');
  await isLoaded(page);
  const table = section(page, 'What changed').locator('.diff');
  assert.deepEqual(await table.locator('th[scope="col"]').allInnerTexts(), ['what', 'before', 'after']);
  assert.match(await table.locator('tbody tr').first().innerText(), /^image\s+acme\/api:7\s+acme\/api:8$/);
  assert.match(await section(page, 'What changed').innerText(), /What ended it.*acme\/api:8 → acme\/api:7/s);
  assert.match(await section(page, 'Evidence').innerText(), /What people tried.*stop.*re-created/s);
  // Red is for what is open.
  const colour = (/** @type {string} */ selector) => page.locator(selector).first().evaluate((element) => getComputedStyle(element).color);
  assert.equal(await colour('.incident-row .shape'), await page.evaluate(() => {
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.color = 'var(--edge)';
    return getComputedStyle(probe).color;
  }));
  assert.equal(await colour('.facts b'), await colour('#incident h2'));
  await shot(page, 'incident-rolled-back');
  faultless();
});

test('what is not certain is said in the page, and where events are missing', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'recorder-gap-a', '', { colorScheme: 'dark' });
  await isTold(page, /^stats crashed 7 times/);
  await isLoaded(page);
  assert.match(await page.locator('.qualified').innerText(), /Not everything is known: events may be missing/);
  assert.match(await section(page, 'Evidence').innerText(), /Gaps.*Events may be missing.*Docker kept only its last 256 events/s);
  await shot(page, 'incident-gap-dark');
  faultless();
});

test('nothing open is an answer, and a new installation explains itself', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'quiet-day-a');
  await until('the world is told', async () => /Asked for, and no incident:.*probes folded/.test(await page.locator('.world').innerText()));
  assert.match(await page.locator('.world').innerText(), /^Nothing is open\s+no incident\s+Recorded: 1 min \d+ s, since /);
  assert.equal(await page.title(), 'shipslog');
  await shot(page, 'incidents-quiet');
  faultless();
  const server = await Server.demo();
  t.after(() => server.close());
  const first = await open(browser, server.base, { timezoneId: 'UTC' });
  await until('the first minute is told', async () => /Recording has begun.*Docker still had \d+ events from before/s.test(await first.page.locator('#first').innerText()));
  await shot(first.page, 'incidents-first');
  first.faultless();
  const deaf = await Server.start('unix:///nonexistent.sock');
  t.after(() => deaf.close());
  const waiting = await open(browser, deaf.base, { timezoneId: 'UTC' });
  await until('it says that there is nothing', async () => /^No Docker host has answered/.test(await waiting.page.locator('#first').innerText()));
  assert.match(await waiting.page.locator('.world').innerText(), /^Nothing is recorded yet/);
  assert.ok(await waiting.page.locator('#losses').isHidden(), 'that there was no gap');
});

test('once a Docker host is heard, nothing says any more that nothing is recorded', needsAll, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'shipslog-late-'));
  t.after(() => rm(directory, { recursive: true }));
  const socket = join(directory, 'docker.sock');
  const server = await Server.start(`unix://${socket}`);
  t.after(() => server.close());
  const { page } = await open(browser, server.base, { timezoneId: 'UTC' });
  const world = page.locator('.world');
  await until('nothing is recorded', async () => /^Nothing is recorded yet/.test(await world.innerText()));
  await symlink((dockerHost ?? '').replace('unix://', ''), socket);
  await until('it is', async () => /Recorded: /.test(await world.innerText()));
  assert.doesNotMatch(await world.innerText(), /Nothing is recorded/);
  await until('so is that nothing was lost', () => page.locator('#losses').isVisible());
});

test('a day is gone through by keys', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'day-a');
  await until('all are listed', async () => (await rows(page).count()) === 7);
  assert.equal(await page.locator('.world p').first().innerText(), '7 closed · 2 critical · 9 notices · the worst first, then the newest');
  assert.ok(await page.locator('#incident').isHidden(), 'nothing is open, so the events are shown');
  await page.keyboard.press('i');
  await isTold(page, /^orders\/db crashed/);
  await page.keyboard.press('j');
  await isTold(page, /^10 containers failed/);
  await until('its band stands out', async () => (await page.locator('.ch-band.ch-read').count()) === 1);
  await page.keyboard.press('k');
  await isTold(page, /^orders\/db crashed/);
  await isLoaded(page);
  await page.keyboard.press('d');
  assert.equal(await page.evaluate(() => document.activeElement?.className), 'changed');
  await page.keyboard.press('z');
  await until('its range is shown', () => /since=2026-11-28T18%3A29/.test(page.url()));
  await until('only those of the range are listed', async () => (await rows(page).count()) === 1);
  const [since] = page.url().match(/since=[^&]*/) ?? [];
  await page.keyboard.press('[');
  await until('the range before is shown', async () => !page.url().includes(String(since)));
  await page.keyboard.press('b');
  await page.keyboard.press('b');
  await until('all are listed again', async () => (await rows(page).count()) === 7);
  await page.keyboard.press('Escape');
  await until('the events are shown', () => page.locator('#list').isVisible());
  await page.locator('.notice-line', { hasText: 'metrics did not stop in time' }).click();
  await isTold(page, /^metrics did not stop in time/);
  await page.keyboard.press('c');
  assert.match(await page.locator('#commands').innerText(), /shipslog report da1ca978-11108n --url \S+ --format markdown/);
  await page.keyboard.press('Escape');
  await shot(page, 'incidents-day');
  faultless();
});

test('a replay of an incident tells what was known at its time', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'compose-bad-deploy-a', `?v=incidents&i=${DEPLOY}`);
  await isTold(page, /^shop\/api crashed 9 times/);
  await isLoaded(page);
  await page.keyboard.press('r');
  // All at one look: the replay goes on.
  await until('it is open again, and has not crashed nine times yet', () => rows(page).evaluateAll((all) =>
    all.length === 1 && all[0].dataset.state === 'open' && /Crashed/.test(all[0].innerText) && !/9 times/.test(all[0].innerText)));
  await page.getByRole('group', { name: 'Replay' }).getByRole('button', { name: 'Stop' }).click();
  await until('it is over', async () => (await rows(page).getAttribute('data-state')) === 'closed');
  faultless();
});

test('at 390 pixels there is one thing at a time', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'dependency-chain-a', '', { viewport: { width: 390, height: 844 } });
  await until('the list is shown', async () => (await rows(page).count()) === 1 && (await rows(page).isVisible()));
  assert.ok(await page.locator('#list').isHidden());
  assert.ok((await overhang(page)) <= 0);
  await shot(page, 'incidents-390');
  await rows(page).click();
  await isTold(page, /^orders\/db crashed/);
  await isLoaded(page);
  assert.ok(await rows(page).isHidden());
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'H2');
  assert.ok((await overhang(page)) <= 0, 'the incident is wider than the screen');
  await shot(page, 'incident-390');
  // What is needed first is in one line; the rest is there when asked for.
  const acts = page.locator('.incident-acts').locator('button, a').filter({ visible: true });
  assert.deepEqual((await acts.allInnerTexts()).map((text) => text.slice(0, 4)), ['Copy', 'Copy', 'Repo', '…']);
  assert.equal(new Set(await acts.evaluateAll((all) => all.map((one) => one.getBoundingClientRect().top))).size, 1, 'in one line');
  await page.getByRole('button', { name: 'Replay, events and other formats' }).click();
  await until('all of it is there', async () => (await acts.count()) >= 8);
  assert.ok((await overhang(page)) <= 0);
  await page.getByRole('button', { name: 'Replay, events and other formats' }).click();
  await until('it is folded again', async () => (await acts.count()) === 4);
  // Tab goes as the eye does: through the incident, then to its charts below.
  /** @type {string[]} */
  const visited = [];
  for (let presses = 0; presses < 400 && visited.at(-1) !== 'charts'; presses += 1) {
    await page.keyboard.press('Tab');
    visited.push(await page.evaluate(() => document.activeElement?.closest('#incident, #charts')?.id ?? 'elsewhere'));
  }
  assert.deepEqual([...new Set(visited)], ['incident', 'charts']);
  await page.getByRole('button', { name: '‹ Incidents' }).click();
  await until('the list is back', () => rows(page).isVisible());
  await page.getByRole('link', { name: 'Events' }).click();
  await until('the events are shown', async () => (await page.locator('#list .row:not([hidden])').count()) > 5);
  assert.ok(await rows(page).isHidden());
  // What few need takes no room before it is asked for.
  const more = page.getByRole('button', { name: 'Times, replay and export' });
  assert.ok(await page.locator('#since, .tools').first().isHidden());
  await more.click();
  for (const one of ['#since', '#until', '#zone', '#as-commands']) assert.ok(await page.locator(one).isVisible(), one);
  assert.ok((await overhang(page)) <= 0);
  await more.click();
  assert.ok(await page.locator('#since').isHidden());
  faultless();
});

test('a record stands below the list where there is no room beside it, and the list goes on showing it', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'day-a', '?v=events&record=da1ca978-10820', { viewport: { width: 900, height: 1000 } });
  await page.locator('#drawer').waitFor();
  const chosen = page.locator('#list .row[aria-selected="true"]');
  await until('it is in view above the record', async () => {
    const [row, record] = [await chosen.boundingBox(), await page.locator('#drawer').boundingBox()];
    return row !== null && record !== null && row.y + row.height <= record.y && row.y > 0 && record.width === 900;
  });
  faultless();
});

test('it prints, keeps its marks in forced colours, and holds still for those who ask', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'dependency-chain-a');
  await isLoaded(page);
  await page.emulateMedia({ media: 'print' });
  assert.ok(await page.locator('.side').isHidden());
  assert.ok(await page.locator('.incident-acts').isHidden());
  assert.ok(await page.evaluate(() => document.body.scrollHeight > 1_000), 'all of it is printed');
  await page.emulateMedia({ media: 'screen', forcedColors: 'active', reducedMotion: 'reduce' });
  const border = (/** @type {string} */ selector) => page.locator(selector).first().evaluate((element) => getComputedStyle(element).borderTopWidth);
  assert.equal(await border('.mk:not([data-what=""])'), '1px');
  assert.equal(await border('.mk[data-what=""]'), '0px', 'no mark, no box');
  // Grounds are not drawn there.
  assert.notEqual(await border('#state .dot'), '0px');
  await shot(page, 'incident-forced-colours');
  faultless();
});

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  test(`axe finds nothing about incidents, ${colorScheme}`, needsBinary, async (t) => {
    for (const [name, query, viewport] of /** @type {[string, string, {width: number, height: number}][]} */ ([
      ['dependency-chain-a', '', { width: 1280, height: 800 }], ['compose-bad-deploy-a', `?v=incidents&i=${DEPLOY}`, { width: 1024, height: 768 }],
      ['recorder-gap-a', '?v=incidents&i=36a37657-36c', { width: 390, height: 844 }], ['day-a', '?v=incidents', { width: 390, height: 844 }],
    ])) {
      const { page } = await recording(t, name, query, { colorScheme, viewport, bypassCSP: true });
      if (name === 'day-a') await until('all are listed', async () => (await rows(page).count()) === 7);
      else await isLoaded(page);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(' ')}`), [], name);
      await shot(page, `axe-${name}-${colorScheme}`);
      await page.context().close();
    }
  });
}

test('last words stand beside their death, and hosts are told apart', needsBinary, async (t) => {
  const began = Date.now() - 3_600_000;
  const at = (/** @type {number} */ second) => began + second * 1_000;
  const [api, web] = [{ id: 'a'.repeat(64) }, { id: 'b'.repeat(64), source: 'edge' }];
  const died = new Date(at(20)).toISOString();
  const server = await Server.of([
    own(1, at(0), 'start', { version: '0.1.0' }, 'shipslog'), own(2, at(0), 'connect', { reason: 'start' }), own(3, at(0), 'connect', { reason: 'start' }, 'edge'),
    record(4, at(2), 'container', 'start', { name: 'api', image: 'shop/api:2' }, api),
    record(5, at(3), 'container', 'start', { name: 'web', image: 'shop/web:2' }, web),
    record(6, at(20), 'container', 'die', { name: 'api', image: 'shop/api:2', exitCode: '1' }, api),
    record(7, at(20), 'recorder', 'last-words', { name: 'api', lines: '2', died, text: '12:00:00 no route to <b>db</b>\n12:00:01 giving up' }, api),
    record(8, at(40), 'container', 'die', { name: 'web', image: 'shop/web:2', exitCode: '3' }, web),
    record(9, at(90), 'network', 'create', { name: 'later' }), record(10, at(91), 'network', 'create', { name: 'later' }, { source: 'edge' }),
  ]);
  t.after(() => server.close());
  const { page, faultless } = await open(browser, server.base, { timezoneId: 'UTC' });
  await until('both are listed, with their hosts', async () => {
    const hosts = (await rows(page).locator('.how').allInnerTexts()).map((text) => text.split(' · ').at(-1));
    return JSON.stringify(hosts) === '["edge","local"]';
  });
  await rows(page).filter({ hasText: 'api' }).click();
  await isTold(page, /^api crashed/);
  await isLoaded(page);
  const death = section(page, 'Evidence').locator('.records > li', { hasText: 'ended, exit 1' });
  assert.equal(await death.locator('.words pre').innerText(), '12:00:00 no route to <b>db</b>\n12:00:01 giving up');
  await shot(page, 'incident-last-words');
  await page.locator('#host').selectOption('edge');
  await until('those of one host are listed', async () => (await rows(page).count()) === 1);
  assert.match(await rows(page).innerText(), /web/);
  faultless();
});

test('evidence that did not come is asked for again', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'day-a', '?v=incidents');
  await until('all are listed', async () => (await rows(page).count()) === 7);
  let refused = 0;
  await page.route(/api\/v1\/events\?.*limit=60/, (route) => {
    refused += 1;
    return refused === 1 ? route.fulfill({ status: 503, body: 'busy' }) : route.continue();
  });
  await rows(page).filter({ hasText: 'ledger' }).click();
  await isTold(page, /^ledger crashed/);
  await isLoaded(page);
  assert.equal(refused, 2);
  faultless();
});

test('text that is to be copied by hand stays while the incident is drawn again', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'dependency-chain-a', '', { timezoneId: 'Asia/Tokyo' });
  await isTold(page, /^orders\/db crashed/);
  await isLoaded(page);
  await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: { writeText: () => Promise.reject(new Error('none')) } }));
  await page.getByRole('button', { name: 'Copy link' }).click();
  await until('it is offered', async () => (await page.locator('.said').innerText()) === 'selected: now press Ctrl+C');
  const offered = await page.locator('#incident .copied').innerText();
  assert.match(offered, /v=incidents&since=/);
  await page.locator('#zone').click();
  await until('times are of another zone', async () => /UTC/.test(await page.locator('.facts').innerText()));
  assert.equal(await page.locator('#incident .copied').innerText(), offered);
  assert.equal(await page.locator('.said').innerText(), 'selected: now press Ctrl+C');
  faultless();
});

test('a loop slides into the list while it goes on, and nothing moves under the pointer', needsAll, async (t) => {
  // How far rows move must not depend on what other stories left behind.
  await forget();
  const server = await Server.start();
  t.after(() => server.close());
  await server.connected();
  const names = ['a', 'b'].map((letter) => `shipslog-loop-${letter}-${process.pid}`);
  t.after(() => docker('rm', '--force', ...names).catch(() => {}));
  const loop = (/** @type {string} */ name) => docker('run', '--detach', '--name', name, '--network', 'none', '--restart', 'always', 'busybox:test', 'sh', '-c', 'exit 7');
  const { page, faultless } = await open(browser, server.base);
  const [first, second] = names.map((name) => rows(page).filter({ hasText: name }));
  await live(page);
  await until('nothing is broken yet', async () => (await page.locator('.world h2').innerText()) === 'Nothing is open');
  await page.waitForFunction(() => document.querySelector('#first')?.textContent?.includes('Recording has begun'));
  // A new row, and its lane, make what is below give way, once.
  await watchShifts(page, '.incident-list, .notices, #first, #notify, .ch-foot, .log');
  // What the Engine still had of other stories has its rows and lanes first.
  await atRest(page);
  await loop(names[0]);
  await until('the list tells of it', async () => (await first.count()) === 1);
  await until('the tab counts it', async () => (await page.title()) === '(1) shipslog');
  assert.match(await page.locator("#incidents [data-part=\"said\"]").innerText(), /New \w+ incident: shipslog-loop-a/);
  await until('it is major', async () => (await first.getAttribute('data-severity')) === 'major');
  await first.hover();
  await loop(names[1]);
  const waiting = page.locator('.fresh-button');
  await until('the second one waits', async () => (await waiting.isVisible()) && (await waiting.innerText()) === '1 new');
  assert.equal(await second.count(), 0);
  await page.mouse.move(900, 500);
  await until('it comes as the pointer goes', async () => (await second.count()) === 1);
  await first.click();
  await isTold(page, new RegExp(`^${names[0]} crashed`));
  await isLoaded(page);
  await shot(page, 'incidents-live');
  await docker('rm', '--force', ...names);
  await until('nothing is open any more', async () => (await page.locator('.world h2').innerText()) === 'Nothing is open');
  await until('the incident says how it ended', async () => /and was removed\.$/.test(await title(page).innerText()));
  assert.equal(await page.title(), 'shipslog');
  const { shift, largest, moved } = await shiftsOf(page);
  assert.ok(Math.max(shift, largest) <= MAX_SHIFT, `things moved by ${shift}, at most by ${largest} at once: ${moved.join(', ')}`);
  faultless();
});
