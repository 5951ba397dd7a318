// What one row of the list looks like. Rows are pooled, so each is created once and filled many times.

import { clock, describe, shortened } from './format.js';
import { gapText, isBeginning } from './gaps.js';
import { parseRecord } from './items.js';

/**
 * A record, kept as the text it came in: parsed again only while its row is on screen.
 * @typedef {object} RecordItem
 * @property {string} id  @property {number} seq
 * @property {number} at    the event's time in milliseconds since 1970
 * @property {number} day   in the zone chosen
 * @property {string} source  the Docker host; empty where the recorder speaks of itself
 * @property {boolean} noise
 * @property {import('./gaps.js').Gap|null} gap
 * @property {import('./cause.js').Told|null} told
 * @property {import('./cause.js').End} end  what became of a container that ended, once known
 * @property {string} line
 * @property {boolean} [strayed]  a gap that the filter would hide: shown, but not part of what was asked for
 *
 * @typedef {{marker: 'gap'|'reset'|'missed'|'day'|'note', text: string, seq?: number}} MarkerItem
 * @typedef {RecordItem|MarkerItem} Item
 */

const COLUMNS = /** @type {const} */ (['clock', 'seq', 'host', 'type', 'action', 'name', 'details']);

/** Characters of a name that have room in its column. */
const NAME = 26;

/** @param {Item} item @returns {item is MarkerItem} */
export const isMarker = (item) => 'marker' in item;

/** @returns {HTMLElement} an empty row */
export function createRow() {
  const row = document.createElement('div');
  row.className = 'row';
  row.setAttribute('role', 'row');
  row.hidden = true;
  for (const column of [...COLUMNS, 'mark']) {
    const cell = document.createElement('span');
    cell.className = `cell ${column}`;
    cell.setAttribute('role', 'gridcell');
    row.append(cell);
  }
  return row;
}

/** @param {HTMLElement} row @param {Item} item @param {boolean} ofSeveral whether the log is of several Docker hosts */
export function fillRow(row, item, ofSeveral) {
  const mark = /** @type {HTMLElement} */ (row.lastElementChild);
  if (isMarker(item)) {
    row.className = `row marker ${item.marker}`;
    mark.textContent = item.text;
    mark.title = item.text;
    return;
  }
  if (item.gap) {
    row.className = `row loss ${isBeginning(item.gap) ? 'beginning' : 'gap'}`;
    mark.textContent = gapText(item.gap, ofSeveral);
    mark.title = mark.textContent;
    const first = /** @type {HTMLElement} */ (row.firstElementChild);
    first.textContent = clock(item.at);
    return;
  }
  const description = describe(parseRecord(item.line), item.end);
  row.className = `row ${description.severity}${item.end.why === 'deaf' ? ' deaf' : ''}`;
  mark.textContent = '';
  COLUMNS.forEach((column, index) => {
    const cell = /** @type {HTMLElement} */ (row.children[index]);
    // The title has all of it.
    cell.textContent = column === 'name' ? shortened(description.name, NAME) : description[column];
    cell.title = column === 'clock' ? description.time : description[column];
  });
}
