// The bad network: a TCP proxy that cuts every connection after a while, mostly in the middle of something.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const SHORTEST_LIFE_MS = 200;
const LONGEST_LIFE_MS = 2_000;
/** How many bytes a connection may have that is not cut by time. */
const MOST_BYTES = 20_000;
/** A connection that was to be cut at its next bytes, but gets none. */
const SILENCE_MS = 300;

export class Proxy {
  /** Connections that reached the server; those cut here; those turned away because the server was not there. */
  connections = 0;
  cuts = 0;
  turnedAway = 0;
  /** Whether connections are cut. */
  cutting = true;
  #port = 0;
  #target;
  #random;
  #listener = createServer((client) => this.#pass(client));
  /** @type {Set<import('node:net').Socket>} */
  #open = new Set();

  /** @param {number} target port of the server @param {() => number} random */
  constructor(target, random) {
    this.#target = target;
    this.#random = random;
  }

  get port() { return this.#port; }
  get open() { return this.#open.size > 0; }

  /** Listens, on the same port as before if there was one. */
  async listen() {
    this.#listener.listen(this.#port, '127.0.0.1');
    await once(this.#listener, 'listening');
    const address = this.#listener.address();
    assert.ok(address && typeof address === 'object');
    this.#port = address.port;
  }

  /** From now on connections are refused; those that are open live on. */
  refuse() { this.#listener.close(); }

  close() {
    this.refuse();
    for (const socket of this.#open) socket.destroy();
  }

  /** @param {import('node:net').Socket} client */
  #pass(client) {
    this.#open.add(client);
    const server = connect(this.#target, '127.0.0.1');
    /** @type {NodeJS.Timeout|undefined} */
    let timer;
    let due = false;
    let left = this.#random() < 0.5 ? Math.ceil(this.#random() * MOST_BYTES) : Infinity;

    /** @param {Buffer} last what is still delivered */
    const cut = (last) => {
      this.cuts += 1;
      clearTimeout(timer);
      server.destroy();
      // As a process that ends in good order, and as one that does not.
      if (this.#random() < 0.5) client.end(last);
      else client.write(last, () => client.resetAndDestroy());
    };
    server.on('connect', () => {
      this.connections += 1;
      timer = setTimeout(() => {
        due = true;
        timer = setTimeout(() => { if (this.cutting) cut(Buffer.alloc(0)); }, SILENCE_MS);
      }, SHORTEST_LIFE_MS + this.#random() * (LONGEST_LIFE_MS - SHORTEST_LIFE_MS));
    });
    server.on('data', (chunk) => {
      if (this.cutting && (due || left < chunk.length)) {
        cut(chunk.subarray(0, due ? Math.floor(this.#random() * chunk.length) : left));
        return;
      }
      left -= chunk.length;
      if (!client.write(chunk)) server.pause();
    });
    server.on('end', () => client.end());
    server.on('error', () => {
      if (server.connecting || server.bytesRead === 0) this.turnedAway += 1;
      client.resetAndDestroy();
    });
    server.on('close', () => clearTimeout(timer));
    client.on('data', (chunk) => server.write(chunk));
    client.on('drain', () => server.resume());
    client.on('error', () => {}); // 'close' follows
    client.on('close', () => { this.#open.delete(client); server.destroy(); });
  }
}
