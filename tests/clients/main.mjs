// Clients that are not ours, all at once, behind networks that cut, through a kill and a restart of the server: each must
// end with every record of the log, byte for byte, exactly once and in order.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../browser/helper/until.mjs';
import { Client } from './driver/client.mjs';
import { CLIENTS } from './driver/clients.mjs';
import { Daemon } from './driver/daemon.mjs';
import { Proxy } from './driver/proxy.mjs';
import { random } from './driver/random.mjs';
import { Server } from './driver/server.mjs';
import { fault, hole } from './driver/verdict.mjs';

const scale = Number(process.env.SHIPSLOG_CLIENTS ?? 1);
const seed = Number(process.env.SHIPSLOG_SEED ?? Math.floor(Math.random() * 2 ** 32));
const binary = process.env.SHIPSLOG_BIN;
assert.ok(binary, 'SHIPSLOG_BIN is the path of the program');

/** Records and cuts of each client's connections between two ends of the server; 25 records come a second. */
const RECORDS = 200 * scale;
const CUTS = 2 * scale;
const PART_MS = 60_000 * scale;
/** How long nobody listens on the port, as while a machine starts again. */
const AWAY_MS = 3_000;
const CATCH_UP_MS = 90_000;

/** @type {Client[]} */
const clients = [];
const every = (/** @type {(client: Client) => boolean} */ condition) => clients.every(condition);

/** Waits, but not for a client that has ended: the report says so. @param {string} what @param {() => Promise<boolean>|boolean} condition @param {number} [deadlineMs] */
async function wait(what, condition, deadlineMs) {
  await until(what, async () => clients.some(({ ended }) => ended) || condition(), deadlineMs);
  assert.ok(every(({ ended }) => !ended), `a client has ended while this was awaited: ${what}`);
}

/** Whether connections are cut from now on. @param {boolean} cutting */
const storm = (cutting) => { for (const { proxy } of clients) proxy.cutting = cutting; };

/** A stretch of recording, of which each client is cut off several times, and at the end of which all are connected. @param {Server} server */
async function part(server) {
  storm(true);
  const head = await server.head();
  const cuts = new Map(clients.map(({ name, proxy }) => [name, proxy.cuts]));
  const cutOff = () => every(({ name, proxy }) => proxy.cuts >= (cuts.get(name) ?? 0) + CUTS);
  await wait('records have come, and every client has been cut off', async () => cutOff() && await server.head() >= head + RECORDS, PART_MS);
  storm(false);
  await wait('every client is connected', () => every(({ proxy }) => proxy.open), PART_MS);
}

/** @param {Server} server @param {string} directory */
async function story(server, directory) {
  await server.up();
  for (const [index, [name, command]] of CLIENTS.entries()) {
    const proxy = new Proxy(server.port, random(seed + index));
    await proxy.listen();
    clients.push(new Client(name, command, proxy, join(directory, `${index}.tsv`)));
  }
  await part(server);

  await server.kill();
  const turnedAway = new Map(clients.map(({ name, proxy }) => [name, proxy.turnedAway]));
  await wait('every client has tried in vain', () => every(({ name, proxy }) => proxy.turnedAway > (turnedAway.get(name) ?? 0)));
  await server.up();
  await part(server);

  for (const { proxy } of clients) proxy.refuse();
  await server.terminate();
  await pause(AWAY_MS);
  await server.up();
  for (const { proxy } of clients) await proxy.listen();
  await part(server);

  const head = await server.head();
  await wait(`every client has the ${head} records`, () => every((client) => client.read() >= head), CATCH_UP_MS);
}

/** @param {string[]} log @returns {string[]} what is wrong */
function report(log) {
  const faults = [];
  const wrongLog = hole(log);
  if (wrongLog) faults.push(wrongLog);
  for (const { name, lines, proxy, rebuilt, ended } of clients) {
    const wrong = ended ?? fault(lines, log);
    if (wrong) faults.push(`${name}: ${wrong}`);
    const { connections, cuts, turnedAway } = proxy;
    console.log(`${wrong ? 'FAILED' : 'ok    '} ${name.padEnd(33)} ${lines.length} records, ${connections} connections, ${cuts} cut, ${turnedAway} turned away, ${rebuilt} new starts from its last id`);
  }
  return faults;
}

const directory = await mkdtemp(join(tmpdir(), 'shipslog-clients-'));
const daemon = new Daemon(join(directory, 'docker.sock'), random(seed - 1));
const server = new Server(binary, join(directory, 'data'), daemon.url);
console.log(`seed ${seed}`);
let passed = false;
try {
  await daemon.start();
  /** @type {unknown} */
  const failure = await story(server, directory).catch((error) => error);
  if (failure) console.error(String(failure)); // who has what, below, says more
  for (const client of clients) await client.stop();
  const faults = report(await server.log());
  for (const line of faults) console.error(line);
  passed = !failure && faults.length === 0;
} finally {
  for (const { proxy } of clients) proxy.close();
  await server.close();
  daemon.close();
  if (passed) await rm(directory, { recursive: true });
  else console.error(`FAILED; the data and what the clients received: ${directory}`);
  process.exitCode = passed ? 0 : 1;
}
