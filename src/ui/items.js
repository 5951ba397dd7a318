// From the line of a record to an item of the list, with a marker row wherever the local day changes: rows show
// the time only, and at 3 a.m. yesterday is not far away.

import { day } from './format.js';

/** @typedef {import('./rows.js').Item} Item */

export class ItemMaker {
  #day = '';

  /**
   * @param {string} line @param {import('./format.js').LogRecord} [record] the parsed line, if at hand
   * @returns {Item[]}
   */
  make(line, record = JSON.parse(line)) {
    const item = { id: record.id, seq: record.seq, source: record.source, noise: record.noise !== undefined, line };
    const today = day(record.time);
    // Event times are not monotonic: a straggler from before midnight does not turn the page back.
    if (today <= this.#day) return [item];
    this.#day = today;
    return [{ marker: 'day', text: today }, item];
  }
}
