// A client that is not ours, as a process behind a proxy of its own; what it has received is in a file.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';

const STOP_MS = 10_000;
const TOLD_BYTES = 2_000;

export class Client {
  /** How often the program had to make a new object, because the library had given up. */
  rebuilt = 0;
  /** Why it is no use to wait for it any longer. @type {string|undefined} */
  ended;
  /** @type {string[]} */
  lines = [];
  /** The last that it wrote to stderr. */
  #told = '';
  #unfinished = '';
  #file;
  #offset = 0;
  #process;
  #exit;

  /** @param {string} name @param {string[]} command @param {import('./proxy.mjs').Proxy} proxy @param {string} file */
  constructor(name, [program, ...args], proxy, file) {
    this.name = name;
    this.proxy = proxy;
    this.#file = openSync(file, 'a+');
    const url = `http://127.0.0.1:${proxy.port}/api/v1/stream?since=oldest`;
    this.#process = spawn(program, [...args, url, file], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#exit = once(this.#process, 'close').then(
      ([code, signal]) => { this.ended = `ended with ${code ?? signal}: ${this.#told}`; },
      (error) => { this.ended = String(error); },
    );
    createInterface({ input: this.#process.stdout }).on('line', (line) => { if (line.startsWith('rebuilt')) this.rebuilt += 1; });
    this.#process.stderr.on('data', (chunk) => { this.#told = (this.#told + chunk).slice(-TOLD_BYTES); });
  }

  /** Takes up what it has received since. @returns {number} how many records it has */
  read() {
    this.#take();
    return this.lines.length;
  }

  async stop() {
    const { ended } = this;
    if (!ended) {
      const late = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS);
      this.#process.kill('SIGTERM');
      await this.#exit;
      clearTimeout(late);
      this.ended = undefined;
    }
    this.#take();
    closeSync(this.#file);
  }

  #take() {
    const buffer = Buffer.alloc(1 << 16);
    let bytes = Buffer.from(this.#unfinished, 'latin1');
    for (let count; (count = readSync(this.#file, buffer, 0, buffer.length, this.#offset)) > 0; this.#offset += count) {
      bytes = Buffer.concat([bytes, buffer.subarray(0, count)]);
    }
    const end = bytes.lastIndexOf('\n') + 1;
    this.#unfinished = bytes.toString('latin1', end);
    if (end > 0) this.lines.push(...bytes.toString('utf8', 0, end - 1).split('\n'));
  }
}
