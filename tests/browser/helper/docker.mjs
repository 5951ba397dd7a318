// Events are made by containers, through the docker CLI.

import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { promisify } from 'node:util';
import { dockerHost } from './environment.mjs';

const run = promisify(execFile);
let made = 0;

/** @param {string[]} args @returns {Promise<string>} */
export async function docker(...args) {
  const { stdout } = await run('docker', ['-H', /** @type {string} */ (dockerHost), ...args]);
  return stdout.trim();
}

/**
 * Runs a container to its end; leaves nothing behind but its events.
 * @param {string[]} [options] @param {string[]} [command] @returns {Promise<string>} its name
 */
export async function container(options = [], command = ['true']) {
  made += 1;
  const name = `shipslog-test-${process.pid}-${made}`;
  await docker('run', '--rm', '--name', name, '--network', 'none', ...options, 'busybox:test', ...command);
  return name;
}

/** @param {string} name @returns {(event: any) => boolean} the last event of a container that `container` ran */
export const lastOf = (name) => ({ Type, Action, Actor }) => Type === 'container' && Action === 'destroy' && Actor.Attributes.name === name;

/** Events that a Docker daemon keeps. */
const KEPT = 256;

/** @param {string} method @param {string} path @param {string} [body] JSON */
const call = (method, path, body) => new Promise((resolve, reject) => {
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': String(body.length) };
  request({ socketPath: (dockerHost ?? '').replace(/^unix:\/\//, ''), method, path, headers }, (response) => {
    response.resume().on('end', () => ((response.statusCode ?? 0) < 300 ? resolve(undefined) : reject(new Error(`${method} ${path}: ${response.statusCode}`))));
  }).on('error', reject).end(body);
});

/** Has the daemon forget what other stories did: a recorder that starts now hears of volumes only. */
export async function forget() {
  for (let n = 0; n < KEPT; n += 2) {
    await call('POST', '/volumes/create', '{"Name":"shipslog-forget"}');
    await call('DELETE', '/volumes/shipslog-forget');
  }
}
