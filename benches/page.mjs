// Figures of the page in a real Chromium, by hand, once `npm ci` has run in tests/browser:
//
//     SHIPSLOG_BIN=target/release/shipslog node benches/page.mjs paint DIRECTORY [RANGE]  # first paint, and until all is drawn
//     SHIPSLOG_BIN=…                       node benches/page.mjs brush DIRECTORY [RANGE]  # from a choice in the bars to the last change
//     SHIPSLOG_BIN=…                       node benches/page.mjs frames [RATE [SECONDS]]  # live, and while a part is being chosen
//     SHIPSLOG_BIN=…                       node benches/page.mjs memory [RATE [MINUTES]]  # of a tab that stays open
//
// DIRECTORY is a log's; it is only read. RANGE is `SINCE..UNTIL` (its last day without it). RATE is in events a second.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { launch, live, open } from '../tests/browser/helper/browser.mjs';

const BINARY = process.env.SHIPSLOG_BIN ?? 'target/release/shipslog';
const TURNS = 9;
/** Nothing changes for so long after everything is drawn, in milliseconds. */
const QUIET_MS = 500;
const SCREEN = { viewport: { width: 1440, height: 900 } };

/** @param {number[]} values @param {number} part */
const quantile = (values, part) => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? Number.NaN;
/** @param {string} what @param {number[]} values milliseconds */
const tell = (what, values) => console.log(`${what}: p50 ${quantile(values, 0.5).toFixed(1)} ms, p95 ${quantile(values, 0.95).toFixed(1)} ms, worst ${Math.max(...values).toFixed(1)} ms (${values.length})`);

/** @param {string[]} options @returns {Promise<{base: string, stop: () => Promise<void>}>} */
async function serve(...options) {
  const child = spawn(BINARY, ['serve', '--listen', '127.0.0.1:0', ...options], { stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const [, base] = /(http:\/\/127\.0\.0\.1:\d+)/.exec(line) ?? [];
    if (base) return { base, stop: async () => { child.kill('SIGTERM'); await once(child, 'exit'); } };
  }
  throw new Error('the server did not start');
}

/** @param {string} base @param {string} range */
async function address(base, range) {
  if (range) {
    const [since, until] = range.split('..');
    return `${base}/?since=${encodeURIComponent(since)}&until=${encodeURIComponent(until)}`;
  }
  const { records } = await (await fetch(`${base}/api/v1/events?order=desc&limit=1`)).json();
  const until = Date.parse(records[0].received) + 1;
  return `${base}/?since=${new Date(until - 86_400_000).toISOString()}&until=${new Date(until).toISOString()}`;
}

/** Notes when the document changed last. Runs in the page. */
function watch() {
  globalThis.changed = performance.now();
  const whole = new MutationObserver(() => { globalThis.changed = performance.now(); });
  whole.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
}

/** @param {import('playwright-core').Page} page @returns {Promise<number>} when it changed last, by its own clock */
async function settled(page) {
  for (;;) {
    const [now, changed] = await page.evaluate(() => [performance.now(), globalThis.changed]);
    if (now - changed > QUIET_MS) return changed;
    await page.waitForTimeout(50);
  }
}

async function paint(directory, range = '') {
  const { base, stop } = await serve('--read-only', directory);
  const at = await address(base, range);
  const [first, drawn] = [[], []];
  for (let turn = 0; turn < TURNS; turn += 1) {
    // A browser of its own: nothing of the turn before is kept.
    const browser = await launch();
    const context = await browser.newContext(SCREEN);
    const page = await context.newPage();
    await page.addInitScript(watch);
    await page.goto(at);
    await page.locator('#list .row:visible').first().waitFor();
    await page.locator('.ch-lanes .ch-name').first().waitFor();
    drawn.push(await settled(page));
    first.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime));
    await browser.close();
  }
  tell('first paint', first);
  tell('bars, lanes, incidents and list drawn', drawn);
  await stop();
}

async function brush(directory, range = '') {
  const { base, stop } = await serve('--read-only', directory);
  const browser = await launch();
  const { page } = await open(browser, await address(base, range), SCREEN);
  await page.locator('.ch-lanes .ch-name').first().waitFor();
  await page.evaluate(watch);
  await settled(page);
  const box = await page.locator('.ch-brush').boundingBox();
  const took = [];
  for (let turn = 0; turn < 3 * TURNS; turn += 1) {
    const from = box.x + box.width * (0.2 + 0.02 * turn);
    await page.mouse.move(from, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(from + 60, box.y + box.height / 2, { steps: 4 });
    await page.evaluate(() => addEventListener('pointerup', () => { globalThis.began = performance.now(); }, { capture: true, once: true }));
    await page.mouse.up();
    const changed = await settled(page);
    took.push(changed - await page.evaluate(() => globalThis.began));
    await page.keyboard.press('Escape');
    await settled(page);
  }
  tell('from the choice to the last change', took);
  await browser.close();
  await stop();
}

/** A Docker daemon with forty containers, which start, end and are looked after. */
function daemon(rate) {
  const socket = join(mkdtempSync(join(tmpdir(), 'shipslog-page-')), 'docker.sock');
  const readers = new Set();
  const server = createServer((request, response) => {
    const path = request.url.split('?')[0].replace(/^\/v1\.\d+/, '');
    const json = (status, body) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    if (path === '/_ping') response.end('OK');
    else if (path === '/version') json(200, { Version: '28.0.0', ApiVersion: '1.51', MinAPIVersion: '1.24' });
    else if (path === '/containers/json') json(200, []);
    else if (path === '/events') {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.flushHeaders();
      readers.add(response);
      response.on('close', () => readers.delete(response));
    } else json(404, { message: 'page not found' });
  });
  server.listen(socket);
  let sent = 0;
  const began = Date.now();
  const timer = setInterval(() => {
    for (; sent < ((Date.now() - began) / 1_000) * rate; sent += 1) {
      const name = `job-${sent % 40}`;
      const id = String(sent % 40).padStart(64, 'c');
      // Most is health checks, as on a real host; now and then something ends.
      const step = Math.floor(sent / 40) % 25;
      const action = step === 0 ? 'die' : step === 1 ? 'start' : ['exec_create: /check', 'exec_start: /check', 'exec_die'][sent % 3];
      const more = action === 'die' ? { exitCode: sent % 120 === 0 ? '1' : '0' } : action === 'exec_die' ? { exitCode: '0' } : {};
      const nanos = BigInt(Date.now()) * 1_000_000n + BigInt(sent % 1_000_000);
      const text = `{"Type":"container","Action":"${action}","Actor":{"ID":"${id}","Attributes":${JSON.stringify({ image: 'busybox:1.37', name, ...more })}},"scope":"local","time":${nanos / 1_000_000_000n},"timeNano":${nanos}}\n`;
      for (const reader of readers) reader.write(text);
    }
  }, 10);
  return { host: `unix://${socket}`, close: () => { clearInterval(timer); for (const reader of readers) reader.destroy(); server.close(); rmSync(join(socket, '..'), { recursive: true }); } };
}

async function liveAt(rate, look) {
  const docker = daemon(rate);
  const data = mkdtempSync(join(tmpdir(), 'shipslog-page-'));
  const { base, stop } = await serve('--data-dir', data, '--docker-host', docker.host);
  const browser = await launch();
  const { page } = await open(browser, base, SCREEN);
  await live(page);
  await look(page, browser);
  await browser.close();
  await stop();
  docker.close();
  rmSync(data, { recursive: true });
}

/** Time between frames, and what scripts, layout and paint of each take. Runs in the page. */
function sample() {
  const frames = { apart: [], work: [] };
  globalThis.frames = frames;
  let before = performance.now();
  const channel = new MessageChannel();
  let began = 0;
  // Comes after the frame was laid out and painted.
  channel.port1.onmessage = () => frames.work.push(performance.now() - began);
  const step = () => {
    began = performance.now();
    frames.apart.push(began - before);
    before = began;
    channel.port2.postMessage(null);
    if (globalThis.frames === frames) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

async function frames(rate = 50, seconds = 30) {
  await liveAt(rate, async (page) => {
    await page.waitForTimeout(10_000);
    await page.evaluate(sample);
    await page.waitForTimeout(seconds * 1_000);
    const alone = await page.evaluate(() => globalThis.frames);
    tell(`live at ${rate}/s, between frames`, alone.apart.slice(1));
    tell(`live at ${rate}/s, work of a frame`, alone.work);
    await page.evaluate(sample);
    const box = await page.locator('.ch-brush').boundingBox();
    await page.mouse.move(box.x + box.width * 0.3, box.y + 20);
    await page.mouse.down();
    for (let turn = 0; turn < seconds * 20; turn += 1) {
      await page.mouse.move(box.x + box.width * (0.5 + 0.4 * Math.sin(turn / 15)), box.y + 20);
      await page.waitForTimeout(30);
    }
    const dragged = await page.evaluate(() => globalThis.frames);
    tell('live and dragged, between frames', dragged.apart.slice(1));
    tell('live and dragged, work of a frame', dragged.work);
    await page.mouse.up();
  });
}

/** Memory that only this process has, in MB. @param {number} pid */
async function privateMegabytes(pid) {
  const { stdout } = await promisify(execFile)('cat', [`/proc/${pid}/smaps_rollup`]);
  const kilobytes = [...stdout.matchAll(/^Private_(?:Clean|Dirty): +(\d+) kB/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
  return kilobytes / 1_024;
}

async function memory(rate = 10, minutes = 60) {
  await liveAt(rate, async (page, browser) => {
    const session = await page.context().newCDPSession(page);
    const { processInfo } = await (await browser.newBrowserCDPSession()).send('SystemInfo.getProcessInfo');
    const tabs = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
    for (let minute = 0; minute <= minutes; minute += 5) {
      await session.send('HeapProfiler.collectGarbage');
      const { usedSize } = await session.send('Runtime.getHeapUsage');
      const whole = await Promise.all(tabs.map(privateMegabytes));
      console.log(`${minute} min: heap ${(usedSize / 2 ** 20).toFixed(1)} MB, private memory of the tab ${Math.max(...whole).toFixed(0)} MB`);
      await page.waitForTimeout(5 * 60_000);
    }
  });
}

const [what, ...args] = process.argv.slice(2);
const benches = { paint, brush, frames: (rate, seconds) => frames(Number(rate ?? 50), Number(seconds ?? 30)), memory: (rate, minutes) => memory(Number(rate ?? 10), Number(minutes ?? 60)) };
if (!Object.hasOwn(benches, what ?? '')) throw new Error(`name one of ${Object.keys(benches).join(', ')}`);
await benches[what](...args);
