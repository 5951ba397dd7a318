// The real program, on a port of its own choice; a restart keeps the port and the data.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const START_MS = 20_000;
const STOP_MS = 10_000;

export class Server {
  port = 0;
  #binary;
  #data;
  #docker;
  /** @type {import('node:child_process').ChildProcess|null} */
  #child = null;

  /** @param {string} binary @param {string} data its directory @param {string} docker what it records */
  constructor(binary, data, docker) {
    this.#binary = binary;
    this.#data = data;
    this.#docker = docker;
  }

  get base() { return `http://127.0.0.1:${this.port}`; }

  async up() {
    const args = ['serve', '--data-dir', this.#data, '--listen', `127.0.0.1:${this.port}`, '--docker-host', this.#docker];
    const child = spawn(this.#binary, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, SHIPSLOG_LOG: 'error' } });
    this.#child = child;
    const [first] = await once(createInterface({ input: child.stdout }), 'line', { signal: AbortSignal.timeout(START_MS) });
    this.port = Number(/^listening on http:\/\/127\.0\.0\.1:(\d+)$/.exec(first)?.[1]);
    assert.ok(this.port, `first line of stdout: ${first}`);
  }

  kill() { return this.#end('SIGKILL'); }

  async terminate() { assert.equal(await this.#end('SIGTERM'), 0, 'exit code after SIGTERM'); }

  async close() { if (this.#child) await this.kill(); }

  /** @param {NodeJS.Signals} signal @returns {Promise<number|null>} exit code */
  async #end(signal) {
    const child = this.#child;
    assert.ok(child, 'the server runs');
    const exit = once(child, 'exit', { signal: AbortSignal.timeout(STOP_MS) });
    child.kill(signal);
    const [code] = await exit;
    this.#child = null;
    return code;
  }

  /** @returns {Promise<number>} the newest sequence */
  async head() { return (await (await fetch(`${this.base}/api/v1/stats`)).json()).log.head; }

  /** @returns {Promise<string[]>} every record of the log, as its line of an export */
  async log() { return (await (await fetch(`${this.base}/api/v1/export?format=jsonl`)).text()).trimEnd().split('\n'); }
}
