// One Firefox for a test file, over WebDriver BiDi, and pages that report whatever a page must never do. Playwright
// drives only a Firefox that was built for it, so puppeteer drives the distribution's.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { firefox, shotsDirectory } from './environment.mjs';
import { until } from './until.mjs';

/** @typedef {import('puppeteer-core').Page} Page */
/** @typedef {import('puppeteer-core').BrowserContext} Context */

/** Reading the clipboard would ask the person, who is not there. */
const PREFERENCES = { 'dom.events.testing.asyncClipboard': true };

/** @param {Record<string, unknown>} [preferences] more, as of a person who wants it dark @returns {Promise<{browser: import('puppeteer-core').Browser, close: () => Promise<void>}>} `close` leaves neither processes nor files */
export async function launch(preferences = {}) {
  // Its home, too: what it keeps outside a profile must not lie about afterwards.
  const home = await mkdtemp(join(tmpdir(), 'shipslog-firefox-'));
  const removed = () => rm(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  const temporary = join(home, 'tmp');
  await mkdir(temporary);
  const browser = await puppeteer.launch({
    browser: 'firefox', executablePath: firefox, headless: true, userDataDir: join(home, 'profile'), extraPrefsFirefox: { ...PREFERENCES, ...preferences },
    env: { ...process.env, HOME: home, TMPDIR: temporary, TZ: 'UTC' },
  }).catch(async (error) => {
    await removed();
    throw error;
  });
  return {
    browser,
    close: async () => {
      const child = /** @type {import('node:child_process').ChildProcess} */ (browser.process());
      const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null;
      await browser.close();
      await ended;
      await removed();
    },
  };
}

/** A tab. @param {Context} context @param {string} address @param {{width?: number, height?: number, zone?: string}} [how] */
export async function open(context, address, { width = 1280, height = 800, zone = 'UTC' } = {}) {
  const page = await context.newPage();
  /** @type {string[]} */
  const faults = [];
  page.on('pageerror', (error) => faults.push(String(/** @type {Error} */ (error).stack ?? error)));
  page.on('dialog', (dialog) => { faults.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('console', (message) => { if (message.type() === 'error') faults.push(message.text()); });
  page.on('request', (request) => {
    // What is in the address itself goes nowhere: Firefox has such a font in a style sheet of its own.
    if (!request.url().startsWith(new URL(address).origin) && !request.url().startsWith('data:')) faults.push(`foreign request: ${request.url()}`);
  });
  await page.evaluateOnNewDocument(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => console.error(`policy: ${violatedDirective} ${blockedURI}`));
  });
  await page.setViewport({ width, height });
  await page.emulateTimezone(zone);
  await page.goto(address);
  return { page, faultless: () => assert.deepEqual(faults, []) };
}

/** @param {Page} page @param {string} selector @returns {Promise<string[]>} the texts of all that match */
export const texts = (page, selector) => page.$$eval(selector, (all) => all.map((one) => /** @type {HTMLElement} */ (one).innerText));
/** @param {Page} page @param {string} selector @returns {Promise<string>} the text of the first, empty without one */
export const text = async (page, selector) => (await texts(page, selector))[0] ?? '';
/** @param {Page} page @param {string} selector */
export const count = async (page, selector) => (await page.$$(selector)).length;
/** @param {Page} page @param {string} selector */
export const isShown = (page, selector) => page.$$eval(selector, (all) => all.some((one) => one.checkVisibility()));

/** @param {Page} page @param {string} selector @param {string} [named] by its text @returns {Promise<void>} clicked as a person does, once it is there */
export async function click(page, selector, named = '') {
  const found = await until(`there is ${selector} ${named}`, async () => {
    for (const one of await page.$$(selector)) {
      if (await one.evaluate((element, name) => element.checkVisibility() && (/** @type {HTMLElement} */ (element)).innerText.includes(name), named)) return one;
    }
    return null;
  });
  await found.click();
}

/** @param {Page} page @param {...string} keys the last is pressed while the others are held */
export async function press(page, ...keys) {
  const last = keys.pop();
  for (const key of keys) await page.keyboard.down(/** @type {any} */ (key));
  await page.keyboard.press(/** @type {any} */ (last));
  for (const key of keys) await page.keyboard.up(/** @type {any} */ (key));
}

/** @param {Page} page */
export const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());
/** @param {Page} page @returns {Promise<any>} */
export const stateOf = (page) => page.evaluate(() => /** @type {any} */ (globalThis).shipslog.state());
/** @param {Page} page @returns {Promise<string[]>} */
export const recordsOf = (page) => page.evaluate(() => /** @type {any} */ (globalThis).shipslog.records());
/** @param {Page} page @param {number} [resumes] */
export const live = (page, resumes = 0) => until(`the page is live after ${resumes} resumes`, async () => {
  const state = await stateOf(page);
  return state.state === 'live' && state.resumes >= resumes;
});

/** @param {Page} page @param {string} name */
export async function shot(page, name) {
  if (!shotsDirectory) return;
  await mkdir(shotsDirectory, { recursive: true });
  await page.screenshot({ path: /** @type {`${string}.png`} */ (join(shotsDirectory, `firefox-${name}.png`)) });
}
