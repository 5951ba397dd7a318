// The strip above the list: what is broken now, or what broke in the range, each with its report.

import { AnswerError, ask, textOf } from './answers.js';
import { address } from './base.js';
import { printable } from './format.js';

/** Incidents that are named; of more the number is told. */
const SHOWN = 4;
/** Between two questions while the page is seen; a hidden one asks nothing. */
const EVERY_MS = 5_000;
/** Each has a shape, and says what it is. @type {Record<string, string>} */
const MARKS = { critical: '■', major: '✕', minor: '●' };
/** @type {Record<string, number>} */
const WORST = { critical: 0, major: 1, minor: 2 };

/**
 * @typedef {object} Incident
 * @property {string} id
 * @property {string} severity
 * @property {'open'|'recovering'|'closed'} state
 * @property {string} title
 * @property {string} start
 */

/** The worst first, and of equals the newest. @param {Incident[]} incidents @returns {Incident[]} */
export function inOrder(incidents) {
  const open = ({ state }) => (state === 'closed' ? 1 : 0);
  return [...incidents].sort((a, b) => open(a) - open(b) || (WORST[a.severity] ?? 3) - (WORST[b.severity] ?? 3) || b.start.localeCompare(a.start));
}

/** @param {Incident[]} incidents @param {boolean} more whether the list goes on @param {boolean} isRange @returns {string} */
export function headline(incidents, more, isRange) {
  const count = `${incidents.length}${more ? ' or more' : ''}`;
  const noun = incidents.length === 1 && !more ? 'incident' : 'incidents';
  return isRange ? `${count} ${noun} in this range` : `${count} open ${noun}`;
}

export class IncidentStrip {
  #box;
  /** @type {Record<string, string>} */
  #query = {};
  #isRange = false;
  #timer = 0;
  /** @type {AbortController|null} */
  #asking = null;
  #shown = '';

  /** @param {HTMLElement} box */
  constructor(box) {
    this.#box = box;
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.#look(); });
  }

  /** @param {{since: string, until: string, range: boolean}} view */
  show({ since, until, range }) {
    this.#isRange = range;
    this.#query = range ? { ...(since && { since }), ...(until && { until }) } : { state: 'open' };
    this.#shown = '';
    this.#box.hidden = true;
    this.#look();
  }

  async #look() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    try {
      const text = await textOf(await ask('api/v1/incidents', { ...this.#query, order: 'desc', limit: '100' }, asking.signal));
      if (asking === this.#asking) this.#draw(JSON.parse(text));
    } catch (error) {
      if (/** @type {Error} */ (error).name === 'AbortError') return;
      // A server without incidents; that one does not answer at all is said elsewhere.
      if (error instanceof AnswerError && error.isFinal) return;
    }
    if (asking === this.#asking && !document.hidden) this.#timer = setTimeout(() => this.#look(), EVERY_MS);
  }

  /** @param {{incidents: Incident[], page: {next: string|null}}} answer */
  #draw({ incidents, page }) {
    const shown = JSON.stringify(incidents.map(({ id, severity, state, title }) => [id, severity, state, title]));
    // Written only when it changes, or a screen reader would speak it each time.
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#box.hidden = incidents.length === 0;
    const [head, list] = /** @type {any} */ (this.#box.children);
    head.textContent = headline(incidents, page.next !== null, this.#isRange);
    list.replaceChildren(...inOrder(incidents).slice(0, SHOWN).map((incident) => this.#line(incident)));
    if (incidents.length > SHOWN) list.append(this.#rest());
  }

  /** @param {Incident} incident */
  #line({ id, severity, state, title }) {
    const item = document.createElement('li');
    item.dataset.severity = severity;
    item.dataset.state = state;
    const mark = Object.assign(document.createElement('span'), { className: 'severity', textContent: `${MARKS[severity] ?? '○'} ${severity}` });
    const link = Object.assign(document.createElement('a'), {
      href: address(`api/v1/incidents/${id}/report`, { format: 'html' }), target: '_blank', rel: 'noopener', textContent: printable(title), title: 'Opens its report',
    });
    const said = state === 'recovering' ? ' · recovering' : this.#isRange && state === 'open' ? ' · still open' : '';
    item.append(mark, ' ', link, said);
    return item;
  }

  #rest() {
    const item = document.createElement('li');
    const { state, ...range } = this.#query;
    const link = Object.assign(document.createElement('a'), {
      href: address('api/v1/report', { format: 'html', ...range, ...(state && { state }) }), target: '_blank', rel: 'noopener', textContent: 'all of them',
    });
    item.append(link);
    return item;
  }
}
