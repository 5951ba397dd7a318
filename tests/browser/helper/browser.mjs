// One Chromium for a test, and pages that report whatever a page must never do.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach } from 'node:test';
import { chromium as driver } from 'playwright-core';
import { chromium, shotsDirectory } from './environment.mjs';
import { until } from './until.mjs';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** @returns {Promise<import('playwright-core').Browser>} */
export const launch = () => driver.launch({ executablePath: chromium, args: FLAGS });

/** Of the test that runs. @type {Set<import('playwright-core').BrowserContext>} */
const contexts = new Set();
// Pages of tests that are over would go on asking servers that are gone.
afterEach(async () => {
  await Promise.all([...contexts].map(async (context) => {
    // What is still asked for has nobody to ask afterwards.
    await Promise.all(context.pages().map((page) => page.unrouteAll({ behavior: 'ignoreErrors' })));
    await context.close();
  }));
  contexts.clear();
});

/**
 * A page of a person of its own, for the test that runs.
 * @param {import('playwright-core').Browser} browser @param {string} address
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function open(browser, address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  contexts.add(context);
  const tab = await newTab(context, address);
  await tab.page.goto(address);
  return tab;
}

/** A tab that will show `address`. @param {import('playwright-core').BrowserContext} context @param {string} address */
export async function newTab(context, address) {
  const page = await context.newPage();
  /** @type {string[]} */
  const faults = [];
  page.on('pageerror', (error) => faults.push(String(error.stack)));
  page.on('dialog', (dialog) => { faults.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) faults.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(new URL(address).origin)) faults.push(`foreign request: ${request.url()}`);
  });
  return { page, faultless: () => assert.deepEqual(faults, []) };
}

/** @param {import('playwright-core').Page} page @returns {Promise<{state: string, lastId: string, resumes: number, missed: number, gaps: number, resets: number}>} */
export const stateOf = (page) => page.evaluate(() => globalThis.shipslog.state());

/** @param {import('playwright-core').Page} page @returns {Promise<string[]>} */
export const recordsOf = (page) => page.evaluate(() => globalThis.shipslog.records());

/** @param {import('playwright-core').Page} page @param {number} [resumes] */
export const live = (page, resumes = 0) =>
  until(`the page is live after ${resumes} resumes`, async () => {
    const state = await stateOf(page);
    return state.state === 'live' && state.resumes >= resumes;
  });

/** @param {import('playwright-core').Page} page @param {string} name */
export async function shot(page, name) {
  if (!shotsDirectory) return;
  await mkdir(shotsDirectory, { recursive: true });
  await page.screenshot({ path: join(shotsDirectory, `${name}.png`) });
}
