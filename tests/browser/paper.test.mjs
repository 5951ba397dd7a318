// What is read on paper and on a phone: the page as it prints, and the HTML report at each width.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open, shot } from './helper/browser.mjs';
import { needsBinary } from './helper/environment.mjs';
import { Server } from './helper/server.mjs';
import { until } from './helper/until.mjs';

/** @typedef {import('playwright-core').Page} Page */

const DEPLOY = '5ba08de8-42c';

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  if (!needsBinary.skip) browser = await launch();
});
after(() => browser?.close());

/** @param {import('node:test').TestContext} t @param {string} name @param {string} path @param {import('playwright-core').BrowserContextOptions} [options] */
async function recording(t, name, path, options = {}) {
  const server = await Server.recording(name);
  t.after(() => server.close());
  return open(browser, `${server.base}/${path}`, { timezoneId: 'UTC', ...options });
}

const isDrawn = (/** @type {Page} */ page) => until('the lanes are drawn', () => page.locator('#charts[data-drawn="true"] .ch-mark').count());
/** @param {Buffer} pdf @returns {number} */
const pagesOf = (pdf) => [...pdf.toString('latin1').matchAll(/\/Type\s*\/Page\b/g)].length;

test('an incident prints below its lanes, and its marks do without grounds', needsBinary, async (t) => {
  for (const viewport of [{ width: 1280, height: 900 }, { width: 800, height: 1_000 }, { width: 718, height: 1_000 }]) {
    const { page, faultless } = await recording(t, 'day-a', '?v=incidents', { viewport });
    await page.locator('.incident-row').first().click();
    await isDrawn(page);
    await until('its course is here', () => page.locator('.steps .mk').count());
    await page.emulateMedia({ media: 'print' });
    const [lanes, incident] = await Promise.all(['.ch-lanes', '#incident'].map((one) => page.locator(one).evaluate((element) => element.getBoundingClientRect().toJSON())));
    assert.ok(lanes.height > 40 && lanes.bottom <= incident.top, `lanes end at ${lanes.bottom}, the incident begins at ${incident.top}, ${viewport.width} wide`);
    const mark = await page.locator('.mk:not([data-what=""])').first().evaluate((element) => {
      const { backgroundColor, borderTopWidth, color } = getComputedStyle(element);
      return { backgroundColor, borderTopWidth, isInk: color === getComputedStyle(document.body).color };
    });
    assert.deepEqual(mark, { backgroundColor: 'rgba(0, 0, 0, 0)', borderTopWidth: '1px', isInk: true });
    faultless();
  }
});

test('what lies over the lanes stays at its time when paper is narrower', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'day-a', '?v=events');
  await isDrawn(page);
  await page.locator('.ch-brush').click();
  await page.locator('.ch-shade').waitFor();
  /** Places as parts of the axis, before anything can be drawn again. */
  const places = (/** @type {number} */ width) => page.evaluate((px) => {
    const box = /** @type {HTMLElement} */ (document.getElementById('charts'));
    box.style.width = px ? `${px}px` : '';
    const axis = /** @type {Element} */ (box.querySelector('.ch-plot')).getBoundingClientRect();
    const found = ['.ch-bands .ch-band', '.ch-shade', '.ch-follower', '.ch-lane .ch-mark'].map((one) => {
      const { left } = /** @type {Element} */ (box.querySelector(one)).getBoundingClientRect();
      return [one, (left - axis.left) / axis.width];
    });
    box.style.width = '';
    return /** @type {[string, number][]} */ (found);
  }, width);
  const screen = await places(0);
  for (const [n, [one, place]] of (await places(700)).entries()) assert.ok(Math.abs(place - screen[n][1]) < 0.01, `${one} is at ${place}, was at ${screen[n][1]}`);
  faultless();
});

test('the start page prints its incidents, and the events those in view, in order', needsBinary, async (t) => {
  for (const width of [1_280, 718]) {
    const { page, faultless } = await recording(t, 'day-a', '', { viewport: { width, height: 900 } });
    await isDrawn(page);
    await page.locator('.incident-row').first().waitFor();
    const landscape = width > 1_000;
    assert.ok(pagesOf(await page.pdf({ landscape })) <= 4, 'no page is empty');
    await page.emulateMedia({ media: 'print' });
    assert.ok(await page.locator('.incident-row').first().isVisible(), `no incidents at ${width}`);
    assert.ok(await page.locator('#list').isHidden());
    await page.emulateMedia({ media: 'screen' });

    await page.getByRole('link', { name: 'Events' }).click();
    await until('the events are shown', async () => (await page.locator('#list .row:not([hidden])').count()) > 5);
    await isDrawn(page);
    const pages = pagesOf(await page.pdf({ landscape }));
    assert.ok(pages >= 1 && pages <= 4, `${pages} pages`);
    await page.emulateMedia({ media: 'print' });
    const rows = await page.locator('#list .row:not([hidden])').evaluateAll((all) => all.map((row) => {
      const { top, bottom } = row.getBoundingClientRect();
      return { place: Number(row.getAttribute('aria-rowindex')), top, bottom };
    }));
    rows.sort((a, b) => a.place - b.place);
    rows.slice(1).forEach(({ top }, n) => assert.ok(top >= rows[n].bottom - 1, `row ${n} lies over the next one, ${width} wide`));
    assert.ok(await page.locator('.side').isHidden());
    faultless();
  }
});

test('a report fits each screen, in the signs of the page', needsBinary, async (t) => {
  const { page, faultless } = await recording(t, 'compose-bad-deploy-a', `api/v1/incidents/${DEPLOY}/report?format=html`);
  const heights = [];
  for (const [width, smallest] of [[1_440, 9], [1_024, 9], [718, 9], [390, 9]]) {
    await page.setViewportSize({ width, height: 844 });
    const seen = await page.evaluate(() => {
      const rect = (/** @type {Element} */ element) => element.getBoundingClientRect();
      const [caption] = document.getElementsByTagName('figcaption');
      const drawings = [...document.querySelectorAll('figure > .lanes')].filter((one) => rect(one).width > 0);
      const [row] = document.querySelectorAll('.course tr.failure');
      const cells = [...row.children].map((cell) => [...cell.getClientRects()]);
      return {
        overhang: document.documentElement.scrollWidth - innerWidth, height: document.documentElement.scrollHeight, drawings: drawings.length,
        label: Math.min(...[...drawings[0].querySelectorAll('text')].map((text) => rect(text).height)),
        cut: [...caption.querySelectorAll('.key')].filter((key) => rect(key).right > rect(caption).right + 1).length,
        wide: Math.max(...cells[2].map((line) => line.width)), isBelow: rect(row.children[3]).top >= rect(row.children[2]).bottom - 1,
        over: cells.some((one, n) => cells.slice(n + 1).some((other) => one.some((a) => other.some((b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)))),
      };
    });
    heights.push(seen.height);
    assert.deepEqual([seen.overhang, seen.drawings, seen.cut, seen.over], [0, 1, 0, false], `${width}: ${JSON.stringify(seen)}`);
    assert.ok(seen.label >= smallest && seen.wide > 100, `${width}: ${JSON.stringify(seen)}`);
    assert.equal(seen.isBelow, width < 700, `the record's id at ${width}`);
    await shot(page, `report-${width}`);
  }
  assert.ok(heights[3] < 3 * heights[0], `${heights[3]} high at 390, ${heights[0]} at 1440`);
  assert.ok(pagesOf(await page.pdf()) <= 2);
  const legend = await page.locator('figcaption .mark text').allTextContents();
  assert.deepEqual(legend, ['X', 'M', 'H', 'C', 'K', 'P']);
  // Without the style a sign is as large as its letters.
  assert.ok(await page.locator('svg').evaluateAll((all) => all.every((one) => one.hasAttribute('width') && one.hasAttribute('height'))));
  faultless();
});
