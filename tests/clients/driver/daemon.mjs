// A Docker daemon that always has something to tell: as much of the Engine's API as the recorder asks for. What happens
// while nobody listens is in its ring, as moby's last 256 events are.

import { once } from 'node:events';
import { createServer } from 'node:http';

const RING = 256;
const EVERY_MS = 40;
/** Of the longest name: so that a connection is cut in the middle of a record more often than between two. */
const LONGEST = 6_000;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz äöüß ☃ 🚢 ';

export class Daemon {
  /** @type {string[]} */
  #ring = [];
  /** @type {Set<import('node:http').ServerResponse>} */
  #subscribers = new Set();
  #made = 0;
  #random;
  #socket;
  #server = createServer((request, response) => this.#answer(request, response));
  /** @type {NodeJS.Timeout|undefined} */
  #timer;

  /** @param {string} socket its path @param {() => number} random */
  constructor(socket, random) {
    this.#socket = socket;
    this.#random = random;
  }

  get url() { return `unix://${this.#socket}`; }

  async start() {
    this.#server.listen(this.#socket);
    await once(this.#server, 'listening');
    this.#timer = setInterval(() => this.#emit(), EVERY_MS);
  }

  close() {
    clearInterval(this.#timer);
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #emit() {
    this.#made += 1;
    const now = Date.now();
    const letters = [...LETTERS];
    const name = Array.from({ length: Math.floor(this.#random() ** 4 * LONGEST) }, () => letters[Math.floor(this.#random() * letters.length)]).join('');
    const Actor = { ID: `c${this.#made}`, Attributes: { image: 'busybox', name } };
    const event = { status: 'start', id: Actor.ID, from: 'busybox', Type: 'container', Action: 'start', Actor, scope: 'local', time: Math.floor(now / 1000) };
    // As a number it would lose its last digits.
    const line = `${JSON.stringify(event).slice(0, -1)},"timeNano":${now}000000}\n`;
    if (this.#ring.push(line) > RING) this.#ring.shift();
    for (const subscriber of this.#subscribers) subscriber.write(line);
  }

  /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
  #answer({ url }, response) {
    const path = url?.split('?')[0];
    response.setHeader('Content-Type', 'application/json').setHeader('Api-Version', '1.51');
    if (path === '/events') {
      this.#subscribers.add(response);
      response.on('close', () => this.#subscribers.delete(response));
      response.flushHeaders();
      for (const line of this.#ring) response.write(line);
    } else if (path === '/_ping') response.end('OK');
    else if (path === '/version') response.end('{"Version":"28.0.0-fake","ApiVersion":"1.51","MinAPIVersion":"1.24"}');
    else if (path === '/containers/json') response.end('[]');
    else response.writeHead(404).end('{"message":"page not found"}');
  }
}
