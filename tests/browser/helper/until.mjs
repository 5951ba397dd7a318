// Waiting, never sleeping: a condition is asked until it holds or its deadline has passed.

import { setTimeout as pause } from 'node:timers/promises';

const ASK_EVERY_MS = 50;

/**
 * @template T
 * @param {string} what for the message of a failure
 * @param {() => T|Promise<T>} condition falsy or throwing means not yet
 * @param {number} [deadlineMs]
 * @returns {Promise<NonNullable<T>>} what the condition gave
 */
export async function until(what, condition, deadlineMs = 30_000) {
  const end = Date.now() + deadlineMs;
  let last;
  while (Date.now() < end) {
    try {
      const value = await condition();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    await pause(ASK_EVERY_MS);
  }
  throw new Error(`not within ${deadlineMs} ms: ${what} (last: ${last instanceof Error ? last.message : JSON.stringify(last)})`);
}
