// What every Node program here does with a record: its id and data, one line each, on disk before the next one is looked at.

import { appendFileSync } from 'node:fs';

export const [url, file] = process.argv.slice(2);

/** @param {string} id @param {string} data */
export const received = (id, data) => appendFileSync(file, `${id}\t${data}\n`);

/** A line for the driver, which counts them: the library gave up and its user has to make a new object. @param {string} why */
export const rebuilt = (why) => console.log(`rebuilt: ${why}`);

// Some libraries wait for their next attempt with a timer that does not keep the process alive.
setInterval(() => {}, 60_000);
