// How the page asks for incidents, without a browser: how many, when it waits, and when it asks by the clock.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { IncidentStore, LIMIT } from '../../src/ui/incident-store.js';

/** @typedef {{address: URL, headers: Record<string, string>, answer: (response: Response) => void}} Asked */

/** @type {Asked[]} */
let asked = [];
/** @type {any} */
let page;
/** Whether another tab waits. */
let isTaken = false;
/** As a browser has it. @param {string} _name @param {any} _options @param {(lock: any) => any} act */
async function request(_name, _options, act) {
  if (isTaken) return act(null);
  isTaken = true;
  await act({});
  isTaken = false;
}
Object.defineProperty(globalThis, 'navigator', { value: { locks: { request } }, configurable: true });

beforeEach(() => {
  asked = [];
  isTaken = false;
  page = Object.assign(new EventTarget(), { hidden: false });
  Object.assign(globalThis, { document: page });
  mock.timers.enable({ apis: ['setTimeout'] });
  mock.method(globalThis, 'fetch', (/** @type {string} */ address, /** @type {RequestInit} */ { headers = {}, signal }) => new Promise((resolve, reject) => {
    asked.push({ address: new URL(address), headers: /** @type {Record<string, string>} */ (headers), answer: resolve });
    signal?.addEventListener('abort', () => reject(Object.assign(new Error('aborted'), { name: 'AbortError' })));
  }));
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

const body = (/** @type {any[]} */ incidents) => JSON.stringify({ incidents, page: { next: incidents.length < LIMIT ? null : 'x' }, log: { id: 'l', oldest: 1, head: 9 }, as_of: new Date().toISOString() });
const found = (/** @type {any[]} */ incidents, headers = {}) => new Response(body(incidents), { headers: { 'Content-Type': 'application/json', ETag: `W/"${incidents.length}"`, ...headers } });
const same = (headers = {}) => new Response(null, { status: 304, headers });
const settled = () => new Promise((resolve) => setImmediate(resolve));
/** @param {number} ms */
async function pass(ms) {
  mock.timers.tick(ms);
  await settled();
}

/** A store that watches the live view and has its first answer. */
async function watching() {
  /** @type {number[]} */
  const told = [];
  const store = new IncidentStore((incidents) => told.push(incidents.length));
  store.watch({ since: '', until: '', range: false });
  asked[0].answer(found([{ id: 'a' }]));
  await settled();
  return { store, told };
}

test('no more incidents are asked for than a page holds, and that there are more is known', async () => {
  const { store } = await watching();
  assert.equal(asked[0].address.searchParams.get('limit'), String(LIMIT));
  assert.equal(store.page?.more, false);
  await pass(2_000);
  asked[1].answer(found(Array.from({ length: LIMIT }, (_, n) => ({ id: String(n) })), { 'Preference-Applied': 'wait=25' }));
  await settled();
  assert.deepEqual([store.incidents.length, store.page?.more], [LIMIT, true]);
});

test('after the first answer one question waits, and whatever comes is told at once', async () => {
  const { store, told } = await watching();
  assert.equal(asked[0].headers?.Prefer, undefined);
  await pass(2_000);
  assert.deepEqual([asked.length, asked[1].headers.Prefer, asked[1].headers['If-None-Match']], [2, 'wait=25', 'W/"1"']);
  assert.equal(store.isAsking, false, 'what waits holds nothing up');
  store.hint();
  await pass(10_000);
  assert.equal(asked.length, 2, 'neither records nor time ask again meanwhile');
  asked[1].answer(found([{ id: 'a' }, { id: 'b' }], { 'Preference-Applied': 'wait=25' }));
  await settled();
  assert.deepEqual(told, [1, 2]);
  await pass(150);
  assert.equal(asked[2].headers.Prefer, 'wait=25', 'whoever has waited does so again, soon');
});

test('of the tabs of a browser one waits, the others ask every two seconds, until its turn is over', async () => {
  isTaken = true;
  const { store } = await watching();
  await pass(2_000);
  assert.deepEqual([asked.length, asked[1].headers.Prefer], [2, undefined]);
  asked[1].answer(same());
  await settled();
  store.hint();
  await pass(150);
  assert.equal(asked.length, 3, 'a record is heard of meanwhile');
  asked[2].answer(same());
  await settled();
  isTaken = false;
  await pass(2_000);
  assert.equal(asked[3].headers.Prefer, 'wait=25');
});

test('where nothing waits, it is asked every two seconds', async () => {
  await watching();
  await pass(2_000);
  // As a proxy answers that takes the wish away; and as a server that ends a wait early.
  for (const headers of [{}, { 'Preference-Applied': 'wait=25' }]) {
    const before = asked.length;
    asked[before - 1].answer(same(headers));
    await settled();
    await pass(1_999);
    assert.equal(asked.length, before);
    await pass(1);
    assert.equal(asked.length, before + 1);
  }
});

test('without a tag there is nothing to wait with, and no hurry', async () => {
  const store = new IncidentStore(() => {});
  store.watch({ since: '', until: '', range: false });
  asked[0].answer(new Response(body([]), { headers: { 'Content-Type': 'application/json' } }));
  await settled();
  await pass(1_999);
  assert.equal(asked.length, 1);
  await pass(1);
  assert.deepEqual([asked.length, asked[1].headers?.Prefer], [2, undefined]);
});

test('a page that is hidden lets go of its question, and asks now and then', async () => {
  await watching();
  await pass(2_000);
  page.hidden = true;
  page.dispatchEvent(new Event('visibilitychange'));
  await settled();
  assert.deepEqual([asked.length, asked[2].headers.Prefer], [3, undefined]);
  asked[2].answer(same());
  await settled();
  await pass(19_999);
  assert.equal(asked.length, 3);
  await pass(1);
  assert.deepEqual([asked.length, asked[3].headers.Prefer], [4, undefined]);
  page.hidden = false;
  page.dispatchEvent(new Event('visibilitychange'));
  await settled();
  assert.equal(asked.at(-1)?.headers.Prefer, 'wait=25');
});

test('an answer that is still the same holds for now, unless nobody writes the log', async () => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.parse('2026-11-22T03:00:00Z') });
  const { store } = await watching();
  const began = store.page?.asOf ?? 0;
  for (let n = 1; n < 5; n += 1) {
    await pass(25_000);
    asked[n].answer(same({ 'Preference-Applied': 'wait=25' }));
    await settled();
    await pass(2_000);
  }
  assert.equal((store.page?.asOf ?? 0) - began, 4 * 25_000 + 3 * 2_000);
  store.watch({ since: '2026-11-21T00:00:00Z', until: '', range: true });
  const old = '2026-11-21T05:00:00.000Z';
  asked.at(-1)?.answer(new Response(JSON.stringify({ ...JSON.parse(body([])), as_of: old }), { headers: { 'Content-Type': 'application/json', ETag: 'W/"x"' } }));
  await settled();
  await pass(2_000);
  asked.at(-1)?.answer(same());
  await settled();
  assert.equal(store.page?.asOf, Date.parse(old));
});
