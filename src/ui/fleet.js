// The hosts of a fleet: how each one's log comes along. What wants somebody comes first; each state has a shape and a word.

import { AnswerError, ask, textOf } from './answers.js';
import { h, morph } from './dom.js';
import { clockOf, count, printable } from './format.js';
import { lengthText } from './incident-words.js';
import { millis } from './timespan.js';

/**
 * @typedef {{first: number, last: number, reason: string}} Loss
 * @typedef {{host: string, log: string, next: number, last_time: string|null, last_arrived: string|null, state: string, lost: number, gaps: Loss[]}} Host as the API has it
 */

/** Between two looks while it is shown. */
const EVERY_MS = 5_000;
/** A fleet has thousands of hosts; of more the number is told. */
const MAX_ROWS = 500;
/** Gaps that are named of one host; of more the number is told. */
const MAX_GAPS = 3;
/** What wants somebody first. @type {Record<string, {shape: string, word: string, rank: number, means: string}>} */
const STATES = {
  conflict: { shape: '▲', word: 'conflict', rank: 0, means: 'two hosts send the same log: one data directory was copied' },
  silent: { shape: '◆', word: 'silent', rank: 1, means: 'nothing has come from it for hours' },
  'catching-up': { shape: '◐', word: 'catching up', rank: 2, means: 'what comes was recorded more than a minute before' },
  live: { shape: '●', word: 'live', rank: 3, means: 'what happens there comes at once' },
};
const OTHER = { shape: '○', word: '', rank: 2, means: '' };

/** @param {Host[]} hosts @returns {Host[]} */
export const inOrder = (hosts) => [...hosts].sort((a, b) => (STATES[a.state] ?? OTHER).rank - (STATES[b.state] ?? OTHER).rank || a.host.localeCompare(b.host) || a.log.localeCompare(b.log));

/** The fleet in a sentence. @param {Host[]} hosts @returns {string} */
export function fleetText(hosts) {
  if (hosts.length === 0) return 'No host has sent anything yet';
  const parts = Object.entries(STATES).flatMap(([state, { word }]) => {
    const n = hosts.filter((host) => host.state === state).length;
    return n > 0 ? [`${count(n)} ${word}`] : [];
  });
  const names = new Set(hosts.map(({ host }) => host)).size;
  return `${count(names)} ${names === 1 ? 'host' : 'hosts'}: ${parts.join(', ')}`;
}

/** How far behind the newest record is. @param {Host} host @param {number} now @returns {string} */
export function lagText({ state, last_time: time, last_arrived: arrived }, now) {
  const [at, came] = [millis(time ?? ''), millis(arrived ?? '')];
  if (Number.isNaN(at)) return 'nothing yet';
  if (state === 'catching-up') return `${lengthText(Math.max(0, came - at))} behind`;
  return state === 'silent' ? `silent for ${lengthText(now - (Number.isNaN(came) ? at : came))}` : 'none';
}

/** @param {Host} host @returns {{text: string, title: string}} what never came */
export function gapsText({ lost, gaps }) {
  if (lost === 0 && gaps.length === 0) return { text: 'none', title: '' };
  const all = gaps.map(({ first, last, reason }) => `${count(first)}–${count(last)}: ${reason}`);
  const more = all.length - MAX_GAPS;
  return { text: `${count(lost)} ${lost === 1 ? 'record' : 'records'} never came`, title: `Records ${all.slice(-MAX_GAPS).join('; ')}${more > 0 ? `; and ${count(more)} gaps before` : ''}` };
}

export class Fleet {
  #root;
  #actions;
  /** @type {Host[]|null} */
  #hosts = null;
  #trouble = '';
  #timer = 0;
  #isShown = false;

  /** @param {HTMLElement} root @param {{hrefOf: (host: string) => string, onPick: (host: string) => void, now: () => number}} actions */
  constructor(root, actions) {
    this.#root = root;
    this.#actions = actions;
    root.addEventListener('click', (event) => {
      const link = /** @type {Element} */ (event.target).closest('a[data-host]');
      if (!(link instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      actions.onPick(link.dataset.host ?? '');
    });
  }

  /** @param {boolean} isShown */
  show(isShown) {
    if (isShown === this.#isShown) {
      if (isShown) this.#draw();
      return;
    }
    this.#isShown = isShown;
    clearTimeout(this.#timer);
    if (isShown) {
      this.#draw();
      this.#look();
    }
  }

  async #look() {
    clearTimeout(this.#timer);
    try {
      this.#hosts = JSON.parse(await textOf(await ask('api/v1/hosts')));
      this.#trouble = '';
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      this.#trouble = error.status === 404 ? 'This shipslog records its own Docker hosts. A list of hosts is kept by a server of a fleet (shipslog fleet serve).' : `Not loaded: ${error.message}. It is asked again.`;
    }
    if (!this.#isShown) return;
    this.#draw();
    this.#timer = setTimeout(() => this.#look(), EVERY_MS);
  }

  #draw() {
    const hosts = this.#hosts;
    const next = h('div.fleet-page', {},
      h('h2', { tabIndex: -1 }, hosts ? fleetText(hosts) : 'Hosts'),
      this.#trouble && h('p.trouble', { role: 'status' }, this.#trouble),
      hosts ? hosts.length > 0 && this.#table(hosts) : !this.#trouble && h('p.soft', {}, 'loading…'));
    if (this.#root.firstElementChild) morph(this.#root.firstElementChild, next);
    else this.#root.append(next);
  }

  /** @param {Host[]} hosts */
  #table(hosts) {
    const now = this.#actions.now();
    const twice = new Set(hosts.filter(({ host }, n) => hosts.findIndex((other) => other.host === host) !== n).map(({ host }) => host));
    const rows = inOrder(hosts).slice(0, MAX_ROWS).map((host) => {
      const { shape, word, means } = STATES[host.state] ?? { ...OTHER, word: host.state };
      const gaps = gapsText(host);
      const at = millis(host.last_time ?? '');
      return h('tr', { data: { state: host.state } },
        h('th', { scope: 'row' }, h('a', { href: this.#actions.hrefOf(host.host), data: { host: host.host }, title: `Only what happened on ${printable(host.host)}` }, printable(host.host)), twice.has(host.host) && h('span.soft', {}, ` log ${host.log.slice(0, 8)}`)),
        h('td.state-of', { title: means, data: { head: 'state' } }, h('span', { 'aria-hidden': 'true' }, shape), ` ${word}`),
        h('td', { data: { head: 'lag' } }, lagText(host, now)),
        h('td', { data: { head: 'newest record' } }, Number.isNaN(at) ? '–' : clockOf(at)),
        h('td.number', { data: { head: 'records' } }, count(Math.max(0, host.next - 1))),
        h('td', { title: gaps.title, data: { head: 'gaps' } }, gaps.text, gaps.title && h('span.visually-hidden', {}, `. ${gaps.title}`)));
    });
    const heads = ['host', 'state', 'lag', 'newest record', 'records', 'gaps'];
    return [h('div.fleet-scroll', { tabIndex: 0, role: 'region', 'aria-label': 'Hosts of the fleet' }, h('table.fleet-table', {}, h('thead', {}, h('tr', {}, heads.map((head) => h(head === 'records' ? 'th.number' : 'th', { scope: 'col' }, head)))), h('tbody', {}, rows))),
      hosts.length > MAX_ROWS && h('p.soft', {}, `and ${count(hosts.length - MAX_ROWS)} more`)];
  }
}
