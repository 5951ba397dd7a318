// The page tells the truth: whether it loads, has nothing, failed, or was refused; who answered; and what may be missing.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, live, newTab, open, shot, stateOf } from './helper/browser.mjs';
import { needsBinary } from './helper/environment.mjs';
import { front } from './helper/front.mjs';
import { gap, own, record, starts } from './helper/incident.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { if (!needsBinary.skip) browser = await launch(); });
after(() => browser?.close());

const MINUTE = 60_000;
const BEGAN = Date.UTC(2025, 10, 22, 3);
const iso = (/** @type {number} */ ms) => new Date(ms).toISOString();
const says = (/** @type {Page} */ page, /** @type {string} */ selector, /** @type {RegExp} */ what) =>
  until(`${selector} says ${what}`, async () => what.test(await page.locator(selector).innerText()));
/** How often a page says something, in what can be seen. @param {Page} page @param {RegExp} what */
const times = async (page, what) => [...(await page.locator('body').innerText()).matchAll(new RegExp(what, 'g'))].length;

/** @param {import('node:test').TestContext} t @param {any[]} records */
async function logOf(t, records) {
  const server = await Server.of(records);
  t.after(() => server.close());
  return server;
}

test('loading, failed, empty and refused are four states, each said once', needsBinary, async (t) => {
  const server = await logOf(t, starts(30, BEGAN));
  const { page, faultless } = await open(browser, server.base, { timezoneId: 'UTC' });
  await live(page);
  /** @type {'hold'|'fail'|'pass'} */
  let mood = 'hold';
  const held = /** @type {(() => void)[]} */ ([]);
  await page.route('**/api/v1/events?**', async (route) => {
    if (mood === 'hold') await new Promise((go) => held.push(() => go(undefined)));
    if (mood === 'fail') return route.fulfill({ status: 502, contentType: 'text/plain', body: 'bad gateway' }).catch(() => {});
    return route.continue().catch(() => {});
  });
  await page.getByRole('button', { name: 'all', exact: true }).click();
  await says(page, '#notice', /^loading…$/);
  assert.deepEqual([await page.locator('#empty').isVisible(), await times(page, /loading/i)], [false, 1]);
  await shot(page, 'state-loading');
  mood = 'fail';
  for (const go of held.splice(0)) go();
  await says(page, '#notice', /^Not loaded: .*502/);
  assert.deepEqual([await page.locator('#empty').isVisible(), await times(page, /502/), await times(page, /loading/i)], [false, 1, 0]);
  await shot(page, 'state-failed');
  mood = 'pass';
  await says(page, '#proof', /^all \d+ records$/);
  await until('nothing else is said', () => page.locator('#notice').isHidden());

  // Two empty ranges, one after the other.
  for (const year of [2001, 2002]) {
    await page.locator('#since').fill(`${year}-01-01`);
    await page.locator('#until').fill(`${year}-01-02`);
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await until('the address has it', () => page.url().includes(String(year)));
    await until('it is read, and empty', async () => (await page.locator('#empty').isVisible()) && (await page.locator('#notice').isHidden()));
    assert.match(await page.locator('#empty').innerText(), /^Nothing recorded in this range\.$/);
  }
  await shot(page, 'state-empty');

  // What the server refuses: a cursor of another log.
  await page.goto(`${server.base}/?range=all&record=ffffffff-1`);
  await says(page, '#notice', /no such record/);
  assert.deepEqual([await page.locator('#empty').isVisible(), await times(page, /no such record/)], [false, 1]);
  await shot(page, 'state-refused');
  assert.equal(await page.getByRole('progressbar').count(), 0);
  faultless();
});

test('an address that means nothing is told, and never looks like loading', needsBinary, async (t) => {
  const server = await logOf(t, starts(3, BEGAN));
  for (const [query, message] of /** @type {[string, RegExp][]} */ ([
    ['?q=type%3D', /no value after the =/],
    ['?since=garbage', /“garbage” is no time/],
    ['?since=2026-02-02T00:00:00Z&until=2026-02-01T00:00:00Z', /since lies after until/],
  ])) {
    const { page, faultless } = await open(browser, `${server.base}/${query}`);
    await says(page, '#filter-error', message);
    await says(page, '#state-text', /^not asked$/);
    assert.equal(await times(page, /loading|connecting/i), 0, query);
    assert.equal(await times(page, message), 1, query);
    faultless();
  }
  // A time of the grammar is made absolute.
  const { page } = await open(browser, `${server.base}/?since=2h`);
  await until('the address is absolute', () => /since=\d{4}-/.test(page.url()));
});

test('a proxy that is not ready yet is no final answer', needsBinary, async (t) => {
  const server = await logOf(t, starts(3, BEGAN));
  let isReady = false;
  const base = await front(t, server.base, {
    answer: ({ url }, response) => {
      if (isReady || !/api|readyz/.test(url ?? '')) return false;
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('404 page not found');
      return true;
    },
  });
  const { page, faultless } = await open(browser, base);
  await says(page, '#banner', /something in front of it says 404/);
  assert.ok(await page.locator('#empty').isHidden());
  isReady = true;
  await live(page);
  faultless();
});

test('a login of a proxy is told as such, and a reload leads to it', needsBinary, async (t) => {
  const server = await logOf(t, starts(3, BEGAN));
  const elsewhere = await front(t, server.base, {
    answer: (_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>Sign in</title>');
      return true;
    },
  });
  for (const target of ['/signin', elsewhere]) {
    let isOut = false;
    const base = await front(t, server.base, {
      answer: ({ url }, response) => {
        if (url === '/signin') response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>Sign in</title>');
        else if (isOut) response.writeHead(302, { Location: target }).end();
        else return false;
        return true;
      },
    });
    const tab = await newTab(await browser.newContext(), base);
    await tab.page.goto(base);
    await live(tab.page);
    isOut = true;
    await tab.page.getByRole('button', { name: 'all', exact: true }).click();
    await says(tab.page, '#banner', /wants you to log in again/);
    await says(tab.page, '#notice', /wants a login/);
    await shot(tab.page, 'state-proxy-login');
    await tab.page.locator('#banner').getByRole('link', { name: 'Reload' }).click();
    await until('the login is shown', async () => (await tab.page.title()) === 'Sign in');
  }
});

test('below any prefix everything works', needsBinary, async (t) => {
  const server = await Server.demo();
  t.after(() => server.close());
  const base = await front(t, server.base, { prefix: '/tools/shipslog/' });
  const { page, faultless } = await open(browser, `${base}?v=events`, { viewport: { width: 1440, height: 800 } });
  /** @type {string[]} */
  const wrong = [];
  page.on('response', (response) => { if (response.status() === 404) wrong.push(response.url()); });
  await live(page);
  await page.locator('.list .row:not(.marker):not(.loss):visible').last().click();
  await page.locator('#drawer').waitFor();
  assert.match(String(await page.locator('[data-part="raw"]').getAttribute('href')), /\/tools\/shipslog\/api\/v1\/events\//);
  await page.getByRole('link', { name: 'Demos' }).click();
  for (const [name, state] of /** @type {[string, string][]} */ ([['', 'open'], ['Polling', '200'], ['WebSocket', 'open']])) {
    if (name) await page.getByRole('link', { name }).click();
    await says(page, '#state', new RegExp(`^${state}$`));
  }
  await page.getByRole('link', { name: 'all three compared' }).click();
  await says(page, '#phase', /^running/);
  await page.getByRole('link', { name: 'Live page' }).click();
  await live(page);
  assert.deepEqual(wrong, []);
  faultless();
});

test('the parts of a page that are refused: the page says why', needsBinary, async (t) => {
  const server = await logOf(t, starts(3, BEGAN));
  const base = await front(t, server.base, {
    answer: ({ url }, response) => {
      if (!url?.endsWith('/live.js')) return false;
      response.writeHead(403, { 'Content-Type': 'application/problem+json' }).end('{"detail":"pages of x may not ask: see --allow-host"}');
      return true;
    },
  });
  const { page } = await open(browser, base);
  await says(page, '#banner', /do not load: .*--allow-host/);
  await says(page, '#state-text', /^not loaded$/);
});

const GAP_FROM = BEGAN + 10 * MINUTE;
const withGap = [
  ...starts(20, BEGAN),
  gap(21, GAP_FROM, GAP_FROM + 3 * MINUTE),
  ...starts(20, GAP_FROM + 5 * MINUTE, 1_000, 22),
];

test('a gap of the recorder passes every filter, and the header tells it from what the page missed', needsBinary, async (t) => {
  const server = await logOf(t, withGap);
  const range = `since=${iso(BEGAN)}&until=${iso(BEGAN + 30 * MINUTE)}`;
  for (const q of ['', 'event=die', 'type=container', 'container=job-1']) {
    const { page, faultless } = await open(browser, `${server.base}/?${range}&q=${encodeURIComponent(q)}`, { timezoneId: 'UTC' });
    await says(page, '#losses', /^recorder may have missed 3 min at 2025-11-22 03:10:00$/);
    const row = page.locator('.list .row.loss.gap');
    await until('the row is there, once', async () => (await row.count()) === 1 && (await row.isVisible()));
    assert.match(await row.innerText(), /Events may be missing: 3 min/);
    await page.locator('#losses').click();
    await until('it leads to the row', async () => (await row.getAttribute('aria-selected')) === 'true');
    if (q === 'event=die') await shot(page, 'gap-under-filter');
    faultless();
  }
  // A range that ends within the gap, whose record came later; and one that the gap does not meet.
  const meets = await open(browser, `${server.base}/?since=${iso(BEGAN)}&until=${iso(GAP_FROM + MINUTE)}&q=type%3Dcontainer`, { timezoneId: 'UTC' });
  await until('the row is there', () => meets.page.locator('.list .row.loss.gap').isVisible());
  const apart = await open(browser, `${server.base}/?since=${iso(GAP_FROM + 4 * MINUTE)}&q=type%3Dcontainer`, { timezoneId: 'UTC' });
  await says(apart.page, '#losses', /^recorder: no gap in this range$/);
  const other = await open(browser, `${server.base}/?${range}&q=source%3Delsewhere`, { timezoneId: 'UTC' });
  await says(other.page, '#losses', /^recorder: no gap in this range$/);
});

test('the beginning of a recording is no loss, and a daemon cannot claim one', needsBinary, async (t) => {
  const server = await logOf(t, [
    gap(1, BEGAN, BEGAN, 'first-contact'),
    ...starts(3, BEGAN, 1_000, 2),
    record(5, BEGAN + 5_000, 'recorder', 'gap', { reason: 'ring-overflow', from: iso(BEGAN), until: iso(BEGAN + 5_000) }, { marks: { foreign: true } }),
  ]);
  const { page, faultless } = await open(browser, `${server.base}/?range=all&until=${iso(BEGAN + 9_000)}`, { timezoneId: 'UTC' });
  await says(page, '#losses', /^recorder: no gap since it began at/);
  await says(page, '.list .row.loss.beginning', /Recording began at/);
  assert.equal(await page.locator('.list .row.gap').count(), 0);
  assert.match(await page.locator('.list').innerText(), /sent by Docker, not by the recorder/);
  faultless();
});

test('a host that is lost is told at once', needsBinary, async (t) => {
  const server = await Server.demo();
  t.after(() => server.close());
  const context = await browser.newContext();
  t.after(() => context.close());
  await context.addInitScript(() => { delete (/** @type {any} */ (globalThis)).SharedWorker; });
  const { page } = await newTab(context, server.base);
  const lost = JSON.stringify(own(2_000_000, Date.now(), 'disconnect', { reason: 'the daemon went away' }, 'edge'));
  await page.route('**/api/v1/stream?*', async (route) => {
    const frames = [
      'retry: 60000\n\n',
      `event: hello\nid: 7f3c9a1e-1999999\ndata: {"log":"7f3c9a1e-","oldest":1,"head":1999999,"after":1999999}\n\n`,
      `id: 7f3c9a1e-2000000\ndata: ${lost}\n\n`,
    ];
    await route.fulfill({ status: 200, contentType: 'text/event-stream', body: frames.join('') });
  });
  let polls = 0;
  await page.route('**/readyz', (route) => (polls++ ? undefined : route.continue()));
  await page.goto(server.base);
  await says(page, '#banner', /Docker host “edge” is not connected since .*: the daemon went away/);
});

test('a gap that a filter hides is told on the stream, and costs no proof', needsBinary, async (t) => {
  const server = await logOf(t, starts(20, BEGAN));
  const context = await browser.newContext({ timezoneId: 'UTC' });
  t.after(() => context.close());
  await context.addInitScript(() => { delete (/** @type {any} */ (globalThis)).SharedWorker; });
  const { log } = await server.json('/api/v1/events?limit=1&order=desc');
  const cursor = (/** @type {number} */ seq) => `${log.id.split('-')[0]}-${seq}`;
  const hello = (/** @type {number} */ after) => `retry: 50\n\nevent: hello\nid: ${cursor(after)}\ndata: ${JSON.stringify({ log: log.id, oldest: 1, head: after, after })}\n\n`;
  const lost = { ...gap(log.head + 5, Date.now() - 4 * MINUTE, Date.now() - MINUTE), id: cursor(log.head + 5) };
  /** @type {string[]} */
  const places = [];
  const base = await front(t, server.base, {
    answer: ({ url, headers }, response) => {
      if (!url?.includes('/api/v1/stream')) return false;
      const after = String(headers['last-event-id'] ?? new URL(url, server.base).searchParams.get('last_event_id'));
      places.push(after);
      const told = `event: incomplete\nid: ${lost.id}\ndata: {"from":null,"until":null,"reason":"daemon-restart","record":${JSON.stringify(lost)}}\n\n`;
      const end = `event: caught-up\nid: ${lost.id}\ndata: {"head":${lost.seq}}\n\n`;
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write(hello(Number(after.split('-')[1])) + (places.length === 1 ? told : end));
      if (places.length < 3) response.end();
      return true;
    },
  });
  const { page, faultless } = await newTab(context, base);
  await page.goto(`${base}?q=type%3Dcontainer`);
  await says(page, '#losses', /^recorder may have missed 3 min/);
  await until('its row is there', () => page.locator('.list .row.loss.gap').isVisible());
  await until('the stream continues after it', () => places.length > 2);
  assert.equal(places[1], lost.id);
  await says(page, '#proof', /nothing missed$/);
  faultless();
});

test('a log that is only read says whose it is and until when it goes', needsBinary, async (t) => {
  const server = await logOf(t, starts(3, BEGAN));
  const copy = await Server.readOnly(server);
  t.after(() => copy.close());
  const { page, faultless } = await open(browser, copy.base, { timezoneId: 'UTC' });
  await says(page, '#banner', /only read, and nothing is recorded\. It is of local, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d to .* \(UTC\)\. Its id: [0-9a-f]{8}\./);
  await shot(page, 'state-read-only');
  faultless();
});

test('the scrollbar over the time is there before anybody scrolls', needsBinary, async (t) => {
  // Nothing but the answer about the oldest record comes after the rows: neither gaps nor new records.
  const copy = await Server.readOnly(await logOf(t, starts(300, BEGAN)));
  t.after(() => copy.close());
  const { page, faultless } = await open(browser, `${copy.base}/?range=all`);
  await until('it spans the log', () => page.locator('#rail').isVisible());
  faultless();
});

test('paused by scrolling says so; the newest rows are one press away', needsBinary, async (t) => {
  const server = await Server.demo();
  t.after(() => server.close());
  const { page, faultless } = await open(browser, `${server.base}/?noise=1`, { viewport: { width: 1024, height: 400 } });
  await live(page);
  await page.locator('#list').hover();
  // What grows beside the list at this moment moves it as well; a reader scrolls on.
  await until('it is paused', async () => {
    await page.mouse.wheel(0, -300);
    return /^paused by scrolling/.test(await page.locator('#state-text').innerText());
  });
  await until('what comes is counted', async () => /\d+ new · resume/.test(await page.locator('#resume').innerText()), 60_000);
  await shot(page, 'state-paused');
  await page.locator('#resume').click();
  await says(page, '#state-text', /^live/);
  assert.equal((await stateOf(page)).missed, 0);
  faultless();
});

test('rows that come while the window grows are no scrolling of the reader', needsBinary, async (t) => {
  const server = await logOf(t, starts(300, BEGAN));
  const { page, faultless } = await open(browser, server.base);
  await live(page);
  const following = await page.evaluate(async () => {
    const url = performance.getEntriesByType('resource').map((entry) => entry.name).find((name) => /\/list[^/]*\.js/.test(name)) ?? '';
    const { EventList } = await import(url);
    const [items, host] = [await import(url.replace('list', 'items')).catch(() => null), document.createElement('div')];
    host.style.cssText = 'position: fixed; height: 200px; width: 400px; overflow: auto';
    document.body.append(host);
    const list = new EventList(host, { onChange() {}, onOpen() {}, onNeed: () => null, onEdge() {} });
    const frames = async (/** @type {number} */ n) => { for (; n > 0; n -= 1) await new Promise(requestAnimationFrame); };
    const row = (/** @type {number} */ seq) => items.makeItem(JSON.stringify({ id: `7f3c9a1e-${seq}`, seq, time: new Date(seq).toISOString(), received: new Date(seq).toISOString(), source: 'local', event: { Type: 'container', Action: 'start', Actor: { ID: 'c', Attributes: {} } } }));
    list.append(Array.from({ length: 100 }, (_, n) => row(n + 1)));
    await frames(3);
    // The list is moved up by the browser, whose event comes after the rows and before they are drawn.
    host.style.height = '300px';
    void host.scrollTop;
    list.append(Array.from({ length: 50 }, (_, n) => row(n + 101)));
    host.dispatchEvent(new Event('scroll'));
    await frames(3);
    return list.state.following;
  });
  assert.equal(following, true);
  faultless();
});

test('a clock that is off is told, and the server\'s decides what an hour is', needsBinary, async (t) => {
  const server = await Server.demo();
  t.after(() => server.close());
  const { page } = await newTab(await browser.newContext(), server.base);
  await page.clock.setFixedTime(Date.now() + 2 * 60 * MINUTE);
  await page.goto(server.base);
  await says(page, '#banner', /clock of this computer is 2 h fast/);
  await page.getByRole('button', { name: '1h', exact: true }).click();
  const since = Date.parse(new URL(page.url()).searchParams.get('since') ?? '');
  assert.ok(Math.abs(Date.now() - 60 * MINUTE - since) < MINUTE, page.url());
});

test('a link into a doubled hour stays where it points, and UTC is a key away', needsBinary, async (t) => {
  const at = Date.UTC(2026, 9, 25, 0, 30);
  const server = await logOf(t, starts(2, at + 60 * MINUTE));
  // 02:30 comes twice in Berlin that night; this is the second one.
  const { page, faultless } = await open(browser, `${server.base}/?since=${iso(at + 60 * MINUTE)}&until=${iso(at + 61 * MINUTE)}`, { timezoneId: 'Europe/Berlin' });
  await until('the range is there', async () => (await page.locator('.list .row').filter({ hasText: 'job-2' }).count()) === 1);
  assert.match(await page.locator('#since').inputValue(), /02:30:00\+01:00$/);
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  assert.equal(Date.parse(new URL(page.url()).searchParams.get('since') ?? ''), at + 60 * MINUTE);
  await page.locator('#list').focus();
  await page.keyboard.press('u');
  await says(page, '#zone', /^times in UTC/);
  assert.equal(await page.locator('#since').inputValue(), '2026-10-25 01:30:00');
  await until('the rows are in UTC', async () => /01:30:01/.test(await page.locator('.list').innerText()));
  faultless();
});
