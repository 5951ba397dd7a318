// What is broken stands above the list, with its report.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, live, open, shot } from './helper/browser.mjs';
import { docker } from './helper/docker.mjs';
import { needsAll } from './helper/environment.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => { if (!needsAll.skip) browser = await launch(); });
after(() => browser?.close());

test('a loop is told above the list while it goes on, and in the range it was in', needsAll, async (t) => {
  const server = await Server.start();
  t.after(() => server.close());
  await server.connected();
  const name = `shipslog-loop-${process.pid}`;
  t.after(() => docker('rm', '--force', name).catch(() => {}));
  const { page, faultless } = await open(browser, server.base);
  await live(page);
  assert.ok(await page.locator('#incidents').isHidden(), 'nothing is broken yet');
  await docker('run', '--detach', '--name', name, '--network', 'none', '--restart', 'always', 'busybox:test', 'sh', '-c', 'exit 7');
  const strip = page.locator('#incidents');
  await until('the strip tells of it', async () => (await strip.isVisible()) && (await strip.innerText()).includes(name));
  assert.match(await strip.innerText(), /1 open incident/);
  await until('it is major', async () => (await strip.locator('li').first().getAttribute('data-severity')) === 'major');
  await shot(page, 'incidents-open');

  const [report] = await Promise.all([page.context().waitForEvent('page'), strip.locator('a').first().click()]);
  await report.waitForLoadState();
  assert.ok((await report.locator('body').innerText()).includes(name));
  await shot(report, 'incidents-report');
  await report.close();

  await docker('rm', '--force', name);
  await until('nothing is broken any more', () => strip.isHidden());
  await page.locator('[data-since="1h"]').click();
  await until('it is in the range', async () => (await strip.isVisible()) && /incidents? in this range/.test(await strip.innerText()) && (await strip.innerText()).includes(name));
  await page.setViewportSize({ width: 390, height: 800 });
  await shot(page, 'incidents-390');
  const overhang = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(overhang <= 0, `cut off at the side by ${overhang} pixels`);
  faultless();
});
