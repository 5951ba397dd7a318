// A server that wants tokens, for people: the form, what becomes of open pages when the tokens change, and the way out.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, live, newTab, open, recordsOf, shot, stateOf } from './helper/browser.mjs';
import { needsBinary } from './helper/environment.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

const TOKEN = 'a-token-of-the-browser-tests';
const NEXT_TOKEN = 'another-token-of-the-browser-tests';

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { if (!needsBinary.skip) browser = await launch(); });
after(() => browser?.close());

/** @param {import('node:test').TestContext} t */
async function guarded(t) {
  const directory = await mkdtemp(join(tmpdir(), 'shipslog-browser-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const tokens = join(directory, 'tokens');
  await writeFile(tokens, `${TOKEN}\n`);
  const server = await Server.demo('--token-file', tokens);
  t.after(() => server.close());
  return { server, change: () => writeFile(tokens, `${NEXT_TOKEN}\n`) };
}

/** @param {Page} page @param {string} token */
async function logIn(page, token) {
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Log in' }).click();
}

const isAt = (/** @type {Page} */ page, /** @type {string} */ address) =>
  until(`the page is at ${address}`, () => page.url() === address);
const hasMoreThan = (/** @type {Page} */ page, /** @type {string[]} */ before) =>
  until('new records arrive', async () => (await recordsOf(page)).at(-1) !== before.at(-1));

test('a token leads to the page that was asked for, and a way out is offered', needsBinary, async (t) => {
  const { server } = await guarded(t);
  const wanted = `${server.base}/?q=type%3Dcontainer`;
  const { page, faultless } = await open(browser, wanted);
  assert.equal(new URL(page.url()).pathname, '/login');
  assert.ok(await page.getByRole('alert').isHidden());
  await logIn(page, `${TOKEN}-but-wrong`);
  await until('the page says that the token is wrong', () => page.getByText('That token is not known here.').isVisible());
  await shot(page, 'login-wrong');
  await logIn(page, TOKEN);
  await isAt(page, wanted);
  await live(page);
  await hasMoreThan(page, await recordsOf(page));
  await shot(page, 'login-done');

  assert.equal(await page.evaluate(() => document.cookie), '');
  const [cookie, ...others] = await page.context().cookies();
  assert.deepEqual([cookie.name, cookie.httpOnly, cookie.sameSite, others.length], ['shipslog_session', true, 'Strict', 0]);
  assert.ok(!cookie.value.includes(TOKEN));

  await page.getByRole('button', { name: 'Log out' }).click();
  await isAt(page, `${server.base}/login`);
  assert.deepEqual(await page.context().cookies(), []);
  await page.goto(wanted);
  assert.equal(new URL(page.url()).pathname, '/login');
  faultless();
});

test('a page whose token is gone says so, and goes on after a login here or in another tab', needsBinary, async (t) => {
  const { server, change } = await guarded(t);
  const wanted = `${server.base}/?q=type%3Dcontainer`;
  const here = await open(browser, wanted);
  await logIn(here.page, TOKEN);
  await isAt(here.page, wanted);
  const [there, demo] = [await newTab(here.page.context(), server.base), await newTab(here.page.context(), server.base)];
  // With health checks, so that it shows every record.
  await there.page.goto(`${server.base}/?noise=1`);
  await demo.page.goto(`${server.base}/demo/sse`);
  await live(here.page);
  await live(there.page);
  const shown = await recordsOf(there.page);

  await server.kill();
  await change();
  await server.up();
  for (const { page } of [here, there]) {
    await until('the page says that its login has ended', async () => (await page.locator('#banner').innerText()).includes('Your login has ended'));
    assert.equal((await stateOf(page)).state, 'reconnecting');
  }
  await until('the demo does not pretend to reconnect', async () => (await demo.page.locator('#state').innerText()).startsWith('refused'));
  await shot(here.page, 'login-ended');

  await here.page.getByRole('link', { name: 'Log in' }).click();
  assert.equal(new URL(here.page.url()).pathname, '/login');
  await logIn(here.page, NEXT_TOKEN);
  await isAt(here.page, wanted);
  await live(here.page);
  await until('the other tab goes on by itself', async () => (await stateOf(there.page)).state === 'live', 60_000);
  await hasMoreThan(there.page, shown);
  const ids = await recordsOf(there.page);
  const stored = await there.page.evaluate(async () => (await (await fetch('/api/v1/events?limit=10000')).json()).records.map(({ id }) => id));
  const from = stored.indexOf(ids[0]);
  assert.deepEqual(ids, stored.slice(from, from + ids.length));
  const { missed, gaps, resets, resumes } = await stateOf(there.page);
  assert.deepEqual({ missed, gaps, resets, resumes }, { missed: 0, gaps: 0, resets: 0, resumes: 1 });
  await until('the banner is gone', () => there.page.locator('#banner').isHidden());
  for (const { faultless } of [here, there, demo]) faultless();
});

test('where no token is wanted there is nothing to log out of', needsBinary, async (t) => {
  const server = await Server.demo();
  t.after(() => server.close());
  const { page, faultless } = await open(browser, server.base);
  await live(page);
  assert.equal(await page.locator('#logout').count(), 1);
  assert.ok(await page.locator('#logout').isHidden());
  faultless();
});
