// Chromium's own EventSource, in a page of the same origin: reconnects by itself.

import { chromium } from 'playwright-core';
import { received, url } from './received.mjs';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const launching = chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS, handleSIGTERM: false });
// Also while it is still being launched: nobody else would end it.
process.on('SIGTERM', () => launching.then((browser) => browser.close()).finally(() => process.exit()));
const browser = await launching;
const page = await browser.newPage();
await page.exposeFunction('received', received);
// A page whose policy lets it connect, and which opens no stream itself; it may be cut like everything else.
while (!await page.goto(new URL('/login', url).href).then((answer) => answer?.ok(), () => false));
await page.evaluate((stream) => {
  globalThis.source = new EventSource(stream);
  globalThis.source.onmessage = ({ lastEventId, data }) => globalThis.received(lastEventId, data);
}, url);
