// The real binary on a port of its own choice; a restart keeps the port and the data.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { binary, dockerHost } from './environment.mjs';
import { until } from './until.mjs';

const START_MS = 20_000;
const STOP_MS = 15_000;

export class Server {
  base = '';
  #directory;
  #options;
  /** @type {import('node:child_process').ChildProcess|null} */
  #child = null;
  #port = 0;
  /** Somebody else's log. */
  #source = '';

  /** @param {string} [docker] @param {string[]} options more of the command line @returns {Promise<Server>} started */
  static async start(docker = dockerHost, ...options) {
    return Server.#started(await mkdtemp(join(tmpdir(), 'shipslog-browser-')), ['--docker-host', docker ?? '', ...options]);
  }

  /** @param {string[]} options more of the command line @returns {Promise<Server>} started, with events that need no Docker */
  static async demo(...options) {
    return Server.#started(await mkdtemp(join(tmpdir(), 'shipslog-browser-')), ['--demo', ...options]);
  }

  /** @param {any[]} records as an export has them @returns {Promise<Server>} started with a log of these, and without Docker */
  static async of(records) {
    const directory = await mkdtemp(join(tmpdir(), 'shipslog-browser-'));
    const file = join(directory, 'records.jsonl');
    await writeFile(file, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
    await promisify(execFile)(/** @type {string} */ (binary), ['import', file, '--data-dir', join(directory, 'data')]);
    return Server.at(directory);
  }

  /** @param {string} name of a recording among tests/fixtures/incidents @returns {Promise<Server>} started with it, read only: as it was left */
  static async recording(name) {
    const server = new Server(await mkdtemp(join(tmpdir(), 'shipslog-browser-')), []);
    server.#source = join(server.#directory, 'data');
    const file = fileURLToPath(new URL(`../../fixtures/incidents/${name}.jsonl.zst`, import.meta.url));
    await promisify(execFile)(/** @type {string} */ (binary), ['import', file, '--data-dir', server.#source]);
    await server.up();
    return server;
  }

  /** @param {string} directory with a log in `data`, removed in the end @returns {Promise<Server>} started, without Docker */
  static async at(directory) {
    return Server.#started(directory, ['--docker-host', 'unix:///nonexistent.sock']);
  }

  /** A log that is only read, as somebody else would get it. @param {Server} other stopped by this @returns {Promise<Server>} */
  static async readOnly(other) {
    if (other.#child) await other.terminate();
    const server = new Server(await mkdtemp(join(tmpdir(), 'shipslog-browser-')), []);
    server.#source = join(other.#directory, 'data');
    await server.up();
    return server;
  }

  /** @param {string} directory @param {string[]} options */
  static async #started(directory, options) {
    const server = new Server(directory, options);
    await server.up();
    return server;
  }

  /** @param {string} directory @param {string[]} options */
  constructor(directory, options) {
    this.#directory = directory;
    this.#options = options;
  }

  async up() {
    const place = this.#source ? ['--read-only', this.#source] : ['--data-dir', join(this.#directory, 'data')];
    const args = ['serve', ...place, '--listen', `127.0.0.1:${this.#port}`, ...this.#options];
    const child = spawn(/** @type {string} */ (binary), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    let log = '';
    child.stderr.on('data', (chunk) => { log = (log + chunk).slice(-4_000); });
    const lines = createInterface({ input: child.stdout });
    const first = await Promise.race([
      once(lines, 'line', { signal: AbortSignal.timeout(START_MS) }).then(([line]) => line),
      once(child, 'exit').then(([code]) => { throw new Error(`exited with ${code} before listening:\n${log}`); }),
    ]);
    this.base = /^listening on (https?:\/\/127\.0\.0\.1:\d+)$/.exec(first)?.[1] ?? '';
    assert.ok(this.base, `first line of stdout: ${first}`);
    this.#port = Number(new URL(this.base).port);
  }

  /** As a power cut would, as far as a process can tell. */
  async kill() {
    const child = this.#running();
    child.kill('SIGKILL');
    await once(child, 'exit');
    this.#child = null;
  }

  /** As an orderly restart does: it must end by itself, soon, and without an error. */
  async terminate() {
    const child = this.#running();
    const exit = once(child, 'exit', { signal: AbortSignal.timeout(STOP_MS) });
    child.kill('SIGTERM');
    const [code] = await exit;
    assert.equal(code, 0, 'exit code after SIGTERM');
    this.#child = null;
  }

  async close() {
    if (this.#child) await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** @param {string} path @returns {Promise<any>} the JSON of an answer, whatever its status */
  async json(path) {
    return (await fetch(this.base + path)).json();
  }

  /** @returns {Promise<any[]>} all records of the log */
  async records() {
    const records = [];
    let cursor = '';
    do {
      const { records: some, page } = await this.json(`/api/v1/events?limit=1000${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      records.push(...some);
      cursor = page.next;
    } while (cursor);
    return records;
  }

  /** @param {(event: any) => boolean} wanted waits until such an event is in the log */
  async recorded(wanted) {
    return until('the event is in the log', async () => (await this.records()).find(({ event }) => wanted(event)));
  }

  /** The Docker host is connected and was looked at: what happens from now on is not history, and nothing but that is recorded. */
  async connected() {
    await until('a Docker host is connected', async () => (await this.json('/readyz')).sources.some(({ state }) => state === 'connected'));
    await until('the Docker host was looked at', async () => {
      const own = (await this.records()).filter(({ event }) => event.Type === 'recorder').map(({ event }) => event.Action);
      return own.lastIndexOf('baseline') > own.lastIndexOf('start');
    });
  }

  #running() {
    assert.ok(this.#child, 'the server runs');
    return this.#child;
  }
}
