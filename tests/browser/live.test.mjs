// The live page against the real recorder and a real dockerd.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, live, open, recordsOf, shot, stateOf } from './helper/browser.mjs';
import { container, docker, lastOf } from './helper/docker.mjs';
import { needsAll } from './helper/environment.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { if (!needsAll.skip) browser = await launch(); });
after(() => browser?.close());

/** The page has everything up to the head of the log. */
const level = (/** @type {Server} */ server, /** @type {import('playwright-core').Page} */ page) =>
  until('the page has reached the head', async () => {
    const { log } = await server.json('/api/v1/events?limit=1&order=desc');
    return (await stateOf(page)).lastId === `${log.id.slice(0, 8)}-${log.head}`;
  });

test('a page left open misses nothing while the server is killed, killed and terminated', needsAll, async (t) => {
  const server = await Server.start();
  t.after(() => server.close());
  await server.connected();
  const { page, faultless } = await open(browser, server.base);
  await live(page);
  const names = [await container()];

  const stops = [() => server.kill(), () => server.kill(), () => server.terminate()];
  for (const [index, stop] of stops.entries()) {
    // Events before, in the very moment, while nobody listens, and after.
    const [during] = await Promise.all([container(), stop()]);
    const missedByServer = await container();
    await until('the page has noticed', async () => (await stateOf(page)).state === 'reconnecting');
    if (index === 0) await shot(page, 'live-reconnecting');
    await server.up();
    await live(page, index + 1);
    names.push(during, missedByServer, await container());
  }

  for (const name of names) await server.recorded(lastOf(name));
  await level(server, page);
  const shown = await recordsOf(page);
  const stored = (await server.records()).map(({ id }) => id);
  assert.deepEqual(shown, stored.slice(stored.indexOf(shown[0])));
  const { resumes, missed, gaps, resets, lastId } = await stateOf(page);
  assert.deepEqual({ missed, gaps, resets }, { missed: 0, gaps: 0, resets: 0 });
  assert.ok(resumes >= 3, `resumes: ${resumes}`);
  // The header is written once a frame, a moment after the state.
  const proof = new RegExp(`^resumed ${resumes}× · after \\S+ · nothing missed$`);
  await until('the page says so', async () => proof.test(await page.locator('#proof').innerText()));
  await until('the header names the last id', async () => (await page.locator('#last-id').innerText()) === lastId);
  await shot(page, 'live-resumed');
  faultless();
});

test('rows are in the order of the log, and the drawer shows the message verbatim', needsAll, async (t) => {
  const server = await Server.start();
  t.after(() => server.close());
  await server.connected();
  const { page, faultless } = await open(browser, server.base);
  await live(page);
  const name = await container([], ['sh', '-c', 'exit 3']).catch((error) => error.cmd.match(/--name (\S+)/)[1]);
  const die = await server.recorded(({ Action, Actor }) => Action === 'die' && Actor.Attributes.name === name);
  const row = page.locator('.list .row.bad', { hasText: name });
  await row.click();
  assert.match(await row.innerText(), /exit 3/);
  await page.locator('#drawer').waitFor();
  assert.equal(await page.locator('[data-part="id"]').innerText(), die.id);
  const raw = await (await fetch(`${server.base}/api/v1/events/${die.id}`)).text();
  const json = await page.locator('[data-part="json"]').innerText();
  // Not parsed: a parsed timeNano would have lost its last digits on both sides.
  assert.ok(raw.replace(/\s/g, '').includes(json.replace(/\s/g, '')), json);
  await shot(page, 'live-drawer');

  await page.getByRole('button', { name: 'Only this container' }).click();
  await live(page);
  await until('what is stored of it is shown', async () => {
    const stored = await server.json(`/api/v1/events?filters=${encodeURIComponent(JSON.stringify({ container: [die.event.Actor.ID] }))}`);
    return JSON.stringify(await recordsOf(page)) === JSON.stringify(stored.records.map(({ id }) => id));
  });
  assert.ok(new URL(page.url()).searchParams.get('q')?.startsWith('container='));
  await shot(page, 'live-filtered');
  faultless();
});

test('a filtered page follows live and resumes', needsAll, async (t) => {
  const server = await Server.start();
  t.after(() => server.close());
  await server.connected();
  const { page, faultless } = await open(browser, `${server.base}/?q=event%3Ddie+-event%3Dexec_*`);
  await live(page);
  const first = await container();
  await server.recorded(lastOf(first));
  await server.kill();
  const second = await container();
  await server.up();
  await live(page, 1);
  const third = await container();
  await server.recorded(lastOf(second));
  await server.recorded(lastOf(third));
  const query = `filters=${encodeURIComponent('{"event":["die"]}')}`;
  await until('all deaths are shown, once each', async () => {
    const { records } = await server.json(`/api/v1/events?${query}&limit=10000`);
    const shown = await recordsOf(page);
    return records.length >= 3 && JSON.stringify(shown) === JSON.stringify(records.map(({ id }) => id).slice(-shown.length));
  });
  assert.equal((await stateOf(page)).missed, 0);
  faultless();
});

test('a range holds what the log holds, and a mistake in the filter is told', needsAll, async (t) => {
  const server = await Server.start();
  t.after(() => server.close());
  await server.connected();
  await server.recorded(lastOf(await container()));
  const { page, faultless } = await open(browser, server.base);
  await live(page);
  await page.getByRole('button', { name: 'all', exact: true }).click();
  const stored = (await server.records()).map(({ id }) => id);
  await until('the range is loaded', async () => (await page.locator('#proof').innerText()).startsWith('all '));
  assert.deepEqual((await recordsOf(page)).slice(0, stored.length), stored);
  await shot(page, 'live-range');

  await page.keyboard.press('/');
  await page.keyboard.type('colour=red');
  await page.keyboard.press('Enter');
  assert.match(await page.locator('#filter-error').innerText(), /unknown key “colour”/);
  await page.getByRole('button', { name: 'Live' }).click();
  await live(page);
  faultless();
});

test('hostile labels and commands are text', needsAll, async (t) => {
  const server = await Server.start();
  t.after(() => server.close());
  await server.connected();
  const image = '<img src=x onerror=alert(1)>';
  const script = '</script><script>alert(2)</script>';
  const pages = [];
  for (const path of ['/', '/demo/sse', '/demo/polling', '/demo/websocket']) pages.push(await open(browser, server.base + path));
  await live(pages[0].page);
  const name = await container(['--label', `com.docker.compose.project=${image}`, '--label', `${script}=${script}`, '-d'], ['sleep', '60']);
  await docker('exec', name, 'echo', image, script);
  await docker('rm', '-f', name);
  await server.recorded(lastOf(name));
  await level(server, pages[0].page);
  const row = pages[0].page.locator('.list .row:visible', { hasText: name }).first();
  assert.ok((await row.innerText()).includes(image));
  await row.click();
  await pages[0].page.locator('#drawer').waitFor();
  assert.ok((await pages[0].page.locator('[data-part="json"]').innerText()).includes('onerror=alert(1)'));
  await shot(pages[0].page, 'live-hostile');
  for (const { page, faultless } of pages) {
    assert.equal(await page.locator('img').count(), 0, page.url());
    faultless();
  }
});

test('health checks are folded, what people run is not', needsAll, async (t) => {
  const server = await Server.start();
  t.after(() => server.close());
  await server.connected();
  const { page, faultless } = await open(browser, server.base);
  await live(page);
  const name = await container(['-d', '--health-cmd', 'test -d /proc', '--health-interval', '300ms'], ['sleep', '1000']);
  const ended = async () => (await server.records()).filter((r) => r.noise === 'healthcheck' && r.event.Action === 'exec_die').length;
  await until('probes are recorded', async () => (await ended()) >= 3);
  await docker('exec', name, 'rm', '-f', '/proc-is-not-gone');
  await docker('rm', '-f', name);
  await server.recorded(lastOf(name));
  await level(server, page);
  const stored = await server.records();
  const marked = stored.filter(({ noise }) => noise === 'healthcheck').length;
  const shown = stored.filter(({ event, noise }) => noise === undefined && event.Actor.Attributes?.name === name && event.Action.startsWith('exec_create')).length;
  assert.ok(shown >= 1 && shown <= 2, `that of a person and perhaps the first probe: ${shown}`);
  const button = page.locator('#noise');
  await until('the page counts them', async () => (await button.innerText()) === `health checks: ${marked} records folded · show`);
  const rows = page.locator('.list .row', { hasText: name }).filter({ hasText: 'exec_create' });
  await until('the person is shown', async () => (await rows.count()) === shown);
  assert.equal((await stateOf(page)).missed, 0);
  await shot(page, 'live-health-folded');
  await button.click();
  await until('all of them are shown', async () => (await button.innerText()) === `health checks: ${marked} records shown · fold`);
  await until('there are more rows', async () => (await rows.count()) > shown);
  assert.equal((await stateOf(page)).missed, 0);
  faultless();
});

test('without Docker the page says what is wrong and what to do', needsAll, async (t) => {
  const server = await Server.start('unix:///nonexistent.sock');
  t.after(() => server.close());
  const { hint } = await until('the source has failed', async () => (await server.json('/readyz')).sources.find(({ error }) => error));
  assert.ok(hint, 'readyz has a hint');
  const { page, faultless } = await open(browser, server.base, { colorScheme: 'dark', viewport: { width: 400, height: 800 } });
  await until('the banner shows the hint', async () => (await page.locator('#banner').innerText()).includes(hint));
  await shot(page, 'live-no-docker-narrow-dark');
  faultless();
});
