// The words of the header: connection state, last id, and the sentence that says what this page has missed.

import { count } from './format.js';

/** @typedef {import('./continuity.js').Continuity} Continuity */

/**
 * @param {import('./session.js').SessionState} state @param {{paused?: boolean, unseen?: number, refused?: boolean, stored?: string, known?: boolean}} [how] `stored`: until when a log goes that nobody writes; `known`: whether that is known
 * @returns {string}
 */
export function stateText(state, { paused = false, unseen = 0, refused = false, stored = '', known = true } = {}) {
  if (refused) return 'not asked';
  // Nothing comes to it, however well the stream is.
  if (stored && (state === 'live' || state === 'range')) return `stored log, until ${stored}`;
  if (!known && state === 'live') return 'connecting…';
  if (state === 'live' && paused) return unseen > 0 ? `paused by scrolling · ${count(unseen)} new` : 'paused by scrolling';
  return {
    connecting: 'connecting…',
    'catching-up': 'catching up',
    live: 'live · SSE',
    reconnecting: 'reconnecting…',
    resting: 'resting while hidden',
    closed: 'not connected',
    range: 'stored range',
    replaying: 'replaying',
    paused: 'replay paused',
    ended: 'replay ended',
  }[state];
}

/**
 * @param {Continuity} c @param {string|null} startedAt @param {import('./session.js').SessionState} state
 * @returns {{text: string, level: 'whole'|'told'|'missed'}} `told`: not whole, but the server said what is gone
 */
export function proofText(c, startedAt, state) {
  const parts = [];
  if (c.resumes > 0) parts.push(`resumed ${count(c.resumes)}×`, `after ${c.resumedAfter}`);
  else if (startedAt) parts.push(`from ${startedAt}`);
  else return { text: state === 'live' ? 'waiting for the first record' : '', level: 'whole' };
  if (c.gaps > 0) parts.push(`${count(c.gaps)} ${c.gaps === 1 ? 'gap' : 'gaps'}, marked below`);
  if (c.resets > 0) parts.push(`${count(c.resets)} ${c.resets === 1 ? 'reset' : 'resets'}, marked below`);
  if (c.difference) parts.push(c.difference);
  const told = c.gaps + c.resets > 0;
  if (c.missed > 0) parts.push(`${count(c.missed)} missed, marked below`);
  // While the connection is down nobody knows what is being missed.
  if (state === 'reconnecting' && c.lastId) parts.push(`will resume after ${c.lastId}`);
  else if (c.missed === 0) parts.push(told ? 'nothing else missed' : 'nothing missed');
  return { text: parts.join(' · '), level: c.missed > 0 ? 'missed' : told ? 'told' : 'whole' };
}

/** @param {number} records @param {boolean} whole whether all of the range is held @returns {string} */
export function rangeText(records, whole) {
  // An empty one is said where its rows would be.
  if (records === 0) return '';
  if (whole) return records === 1 ? 'the only record' : `all ${count(records)} records`;
  return `${count(records)} ${records === 1 ? 'record' : 'records'} here, scroll for more`;
}
