// What one row of the list looks like. Rows are pooled, so each is created once and filled many times.

import { describe } from './format.js';

/**
 * A record, kept as the text it came in: parsed again only while its row is on screen, which is what lets the
 * list hold 200,000 of them.
 * @typedef {{id: string, seq: number, source: string, noise: boolean, line: string}} RecordItem
 * @typedef {{marker: 'gap'|'reset'|'missed'|'day'|'note', text: string}} MarkerItem
 * @typedef {RecordItem|MarkerItem} Item
 */

const COLUMNS = /** @type {const} */ (['clock', 'seq', 'type', 'action', 'name', 'details']);

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

/** @param {HTMLElement} row @param {Item} item @param {boolean} ofSeveral whether records of several Docker hosts are shown */
export function fillRow(row, item, ofSeveral) {
  const mark = /** @type {HTMLElement} */ (row.lastElementChild);
  if (isMarker(item)) {
    row.className = `row marker ${item.marker}`;
    mark.textContent = item.text;
    mark.title = item.text;
    return;
  }
  const description = describe(JSON.parse(item.line), ofSeveral);
  row.className = `row ${description.severity}`;
  mark.textContent = '';
  COLUMNS.forEach((column, index) => {
    const cell = /** @type {HTMLElement} */ (row.children[index]);
    cell.textContent = description[column];
    cell.title = column === 'clock' ? description.time : description[column];
  });
}
