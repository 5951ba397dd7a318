// What a container printed before it died is shown in the drawer, as text and nothing else.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open, shot } from './helper/browser.mjs';
import { docker } from './helper/docker.mjs';
import { needsAll, needsBinary } from './helper/environment.mjs';
import { own, record } from './helper/incident.mjs';
import { Server } from './helper/server.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { if (!needsBinary.skip) browser = await launch(); });
after(() => browser?.close());

const output = (/** @type {import('playwright-core').Page} */ page) => page.locator('#drawer [data-part="output"]');

test('the drawer shows what a real container printed last, control characters as text', needsAll, async (t) => {
  const server = await Server.start(undefined, '--last-words');
  t.after(() => server.close());
  await server.connected();
  const name = `shipslog-words-${process.pid}`;
  t.after(() => docker('rm', '--force', name).catch(() => {}));
  await docker('run', '--name', name, '--network', 'none', 'busybox:test', 'sh', '-c', 'echo begin; printf "\\033[31mred <b>bold</b>\\n"; exit 3').catch(() => {});
  const words = await server.recorded(({ Type, Action, Actor }) => Type === 'recorder' && Action === 'last-words' && Actor.Attributes.name === name);

  const { page, faultless } = await open(browser, `${server.base}/?record=${words.id}`);
  await output(page).waitFor();
  assert.match(await page.locator('[data-part="words"]').innerText(), new RegExp(`What ${name} printed before it died: its last 2 lines`));
  const shown = (await output(page).innerText()).split('\n');
  assert.match(shown[0], /Z begin$/);
  assert.match(shown[1], /Z \\u001b\[31mred <b>bold<\/b>$/);
  assert.equal(await output(page).locator('*').count(), 0, 'nothing of it is markup');
  await shot(page, 'last-words');
  const isWhole = await output(page).evaluate((shown) => shown.clientHeight >= shown.scrollHeight && shown.clientHeight > 20);
  assert.ok(isWhole, 'two lines need no scrolling');
  await page.setViewportSize({ width: 390, height: 800 });
  await shot(page, 'last-words-390');
  const overhang = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(overhang <= 0, `cut off at the side by ${overhang} pixels`);

  // Another record has none, and what only looks like one is not shown as one.
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.locator('[data-part="close"]').click();
  await page.locator('.row:visible', { hasText: 'observed' }).last().click();
  await page.locator('#drawer').waitFor();
  assert.ok(await output(page).isHidden());
  faultless();
});

test('why nothing is known is said, and what somebody else calls last words is not shown as such', needsBinary, async (t) => {
  const now = Date.now() - 60_000;
  const server = await Server.of([
    own(1, now, 'start'),
    own(2, now, 'last-words', { name: 'web', exitCode: '1', lines: '0', why: 'the container was gone already' }),
    record(3, now, 'container', 'last-words', { name: 'liar', text: 'I never said that' }),
    own(4, now, 'last-words', { name: 'api', exitCode: '1', lines: '1', text: 'bell\u0007 \u202egnp.exe' }),
  ]);
  t.after(() => server.close());
  const { page, faultless } = await open(browser, `${server.base}/?range=all&record=7f3c9a1e-4`);
  await output(page).waitFor();
  assert.equal(await output(page).innerText(), 'bell\\u0007 \\u202egnp.exe');
  for (const [seq, said] of /** @type {const} */ ([[2, /not known, or not all of it: the container was gone already/], [3, /./]])) {
    await page.goto(`${server.base}/?range=all&record=7f3c9a1e-${seq}`);
    await page.locator('#drawer').waitFor();
    assert.match(await page.locator('[data-part="words"]').innerText(), said);
    assert.ok(await output(page).isHidden(), `record ${seq}`);
  }
  faultless();
});
