// The recorder's own `gap` records: where events may be missing from the log itself, whatever this page has received.
// Pure.

import { own } from './exits.js';
import { millis } from './timespan.js';
import { clock, clockOf, day, spanText } from './format.js';

/**
 * @typedef {{from: number, until: number, reason: string, lost: string, source: string}} Gap
 * @typedef {import('./rows.js').RecordItem} RecordItem
 */

/** @type {Record<string, string>} */
const REASONS = {
  'daemon-restart': 'Docker was restarted, and then forgets its events',
  'ring-overflow': 'Docker kept only its last 256 events while the recorder was away',
  'queue-overflow': 'events came faster than they could be stored',
  damage: 'a part of the log is damaged on disk',
  malformed: 'what Docker sent could not be read',
  'first-contact': 'what was before is not recorded',
};

/** @param {import('./format.js').LogRecord} record @returns {Gap|null} null for any other record, and for a daemon's own */
export function gapOf(record) {
  const { event, source, time } = record;
  if (event?.Type !== 'recorder' || event.Action !== 'gap' || record.foreign) return null;
  const { reason = '', from = '', until = '', lost = '' } = event.Actor?.Attributes ?? {};
  const end = millis(String(until || time));
  const begin = millis(String(from));
  return { from: Number.isNaN(begin) ? end : begin, until: end, reason: String(reason), lost: String(lost), source: String(source) };
}

/** Not a loss: before it there was no recording at all. @param {Gap} gap */
export const isBeginning = (gap) => gap.reason === 'first-contact';

/** @param {Gap} gap @param {boolean} [ofSeveral] @returns {string} what a row says */
export function gapText(gap, ofSeveral = false) {
  const where = ofSeveral ? ` of ${gap.source}` : '';
  if (isBeginning(gap)) return `Recording${where} began at ${clockOf(gap.until)}; ${REASONS['first-contact']}.`;
  const lost = /^\d+$/.test(gap.lost) && gap.lost !== '0' ? `${gap.lost} events are missing` : 'Events may be missing';
  const why = own(REASONS, gap.reason) ?? gap.reason;
  return `${lost}${where}: ${spanText(gap.until - gap.from)}, ${clockOf(gap.from)} … ${day(gap.from) === day(gap.until) ? clock(gap.until).slice(0, 8) : clockOf(gap.until)}${why && `; ${why}.`}`;
}

/**
 * The header's second sentence.
 * @param {Gap[]} gaps that meet what is shown, oldest first @param {string} over the time it speaks of, like `in 24 h`
 * @returns {{text: string, level: 'whole'|'missed'}}
 */
export function lossText(gaps, over) {
  const losses = gaps.filter((gap) => !isBeginning(gap));
  const began = gaps.filter(isBeginning).at(-1);
  const last = losses.at(-1);
  if (!last) return { text: began ? `recorder: no gap since it began at ${clockOf(began.until)}` : `recorder: no gap ${over}`, level: 'whole' };
  const more = losses.length > 1 ? ` and ${losses.length - 1} more` : '';
  return { text: `recorder may have missed ${spanText(last.until - last.from)} at ${clockOf(last.from)}${more}`, level: 'missed' };
}

/** @param {Gap} gap @param {number} since @param {number} until NaN for no bound */
export const meets = (gap, since, until) => !(gap.until < since) && !(gap.from > until);
