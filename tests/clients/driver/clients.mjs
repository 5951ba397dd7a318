// The clients, and how each is started.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('..', import.meta.url));
const target = join(here, '../../target');
const node = (/** @type {string} */ name) => [process.execPath, join(here, 'node', `${name}.mjs`)];
const python = (/** @type {string} */ name) => [join(target, 'clients/python/bin/python'), join(here, 'python', `${name}.py`)];
const rust = (/** @type {string} */ name) => [join(target, 'clients/rust/debug', name)];

/** @type {[string, string[]][]} */
export const CLIENTS = [
  ['Chromium EventSource', node('chromium')],
  ['npm eventsource 5.1.5', node('eventsource-5')],
  ['npm eventsource 3.0.7', node('eventsource-3')],
  ['npm eventsource-client 1.2.0', node('eventsource-client')],
  ['npm event-source-polyfill 1.0.31', node('event-source-polyfill')],
  ['npm undici 7.30.2', node('undici')],
  ['PyPI sseclient 0.0.27', python('sseclient_')],
  ['PyPI httpx-sse 0.4.3', python('httpx_sse_')],
  ['PyPI aiohttp-sse-client 0.2.1', python('aiohttp_sse_client_')],
  ['PyPI aiosseclient 0.1.8', python('aiosseclient_')],
  ['crate reqwest-eventsource 0.6.0', rust('reqwest_eventsource')],
  ['crate eventsource-client 0.18.0', rust('eventsource_client')],
];
