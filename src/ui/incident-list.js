// The list of incidents: the state of the world in a sentence, then what is open and worst first. Nothing moves under
// the pointer: what is new waits until it has gone.

import { folded, hostsText } from './across.js';
import { h, write } from './dom.js';
import { clock, day, fullTime, printable } from './format.js';
import { SHAPES, counted, inOrder, isCauseUnsaid, lengthText, outcome, runsOf, sentenceParts, subjectText, world } from './incident-words.js';
import { millis } from './timespan.js';

/** @typedef {import('./incident-words.js').Incident} Incident */
/** @typedef {import('./incident-store.js').Page} Page */
/** @typedef {{row: HTMLAnchorElement, said: string}} Row */

/** Rows; of more the number is told. */
export const MAX_ROWS = 100;
export const MAX_NOTICES = 30;
/** Ages of what is open count on. */
const TICK_MS = 1_000;
/** A log whose newest time is older is not live: then clock times say more than ages. */
const LIVE_MS = 60_000;

export class IncidentList {
  #parts;
  #handlers;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Incident[]} */
  #incidents = [];
  /** @type {Incident[]} */
  #notices = [];
  /** @type {Page|null} */
  #page = null;
  #chosen = '';
  #ofSeveral = false;
  #isHeld = false;
  #isFirst = true;
  #isDeaf = false;
  #head = '';

  /**
   * @param {HTMLElement} root
   * @param {{onOpen: (id: string) => void, onCopy: (id: string, box: HTMLElement, button: HTMLElement) => void, hrefOf: (id: string) => string, now: () => number, onFresh: (fresh: Incident[]) => void}} handlers
   */
  constructor(root, handlers) {
    this.#handlers = handlers;
    const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));
    this.#parts = { root, head: part('head'), sub: part('sub'), fresh: part('fresh'), copied: part('copied'), list: part('list'), notices: part('notices'), said: part('said') };
    root.addEventListener('click', (event) => this.#onClick(event));
    const release = () => { if (this.#isHeld) this.#place(); };
    part('list').addEventListener('pointerleave', release);
    this.#parts.fresh.addEventListener('click', () => {
      this.#isHeld = false;
      this.#place(true);
    });
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** Ids in the order of the rows. */
  get order() {
    return inOrder(this.#incidents).map(({ id }) => id);
  }

  /** Another range or filter was asked for: nothing of it is new, and nothing waits. */
  reset() {
    this.#isFirst = true;
  }

  /** @param {Incident[]} all @param {Page} page @param {number} [hidden] by the filter */
  show(all, page, hidden = 0) {
    this.#page = page;
    const known = new Set(this.#incidents.map(({ id }) => id));
    this.#incidents = folded(all.filter(({ severity }) => severity !== 'notice'));
    this.#notices = all.filter(({ severity }) => severity === 'notice');
    const { head, sub, open } = world(this.#incidents, page.more, hidden);
    this.#head = head;
    this.setDeaf(this.#isDeaf);
    write(this.#parts.sub, [sub, this.#notices.length > 0 && counted(this.#notices.length, 'notice'), this.#incidents.length > 1 && (open > 0 ? 'open first, then the worst' : 'the worst first, then the newest')].filter(Boolean).join(' · '));
    this.#parts.head.dataset.open = String(open > 0);
    const fresh = this.#isFirst ? [] : this.#incidents.filter(({ id }) => !known.has(id));
    // For new ones only, so that a loop is not spoken of at each turn.
    if (fresh.length) {
      write(this.#parts.said, fresh.map(({ severity, title }) => `New ${severity} incident: ${printable(title)}`).join('. '));
      this.#handlers.onFresh(fresh);
    }
    this.#place(this.#isFirst, fresh.map(({ id }) => id));
    this.#isFirst = false;
  }

  /** @param {boolean} isDeaf whether no Docker host has been heard yet: then that nothing has failed means nothing */
  setDeaf(isDeaf) {
    this.#isDeaf = isDeaf;
    write(this.#parts.head, isDeaf ? 'Nothing is recorded yet' : this.#head);
  }

  /** @param {boolean} areSeveral whether rows tell their Docker host */
  setHosts(areSeveral) {
    this.#ofSeveral = areSeveral;
    for (const known of this.#rows.values()) known.said = '';
    for (const incident of this.#incidents) if (this.#rows.has(incident.id)) this.#fill(incident);
  }

  /** @param {string} id empty for none */
  choose(id) {
    this.#chosen = id;
    for (const [each, { row }] of this.#rows) this.#mark(row, each);
    for (const row of this.#parts.notices.querySelectorAll('a')) this.#mark(row, row.dataset.ids?.split(' ').includes(id) ? id : row.dataset.id ?? '');
  }

  /** @param {string} id */
  reveal(id) {
    this.#rows.get(id)?.row.scrollIntoView({ block: 'nearest' });
  }

  /** @param {string} id */
  focus(id) {
    this.#rows.get(id)?.row.focus();
  }

  /** @param {HTMLElement} row @param {string} id */
  #mark(row, id) {
    if (id === this.#chosen) row.setAttribute('aria-current', 'true');
    else row.removeAttribute('aria-current');
  }

  /** @param {boolean} [isAsked] @param {string[]} [fresh] */
  #place(isAsked = false, fresh = []) {
    const shown = inOrder(this.#incidents).slice(0, MAX_ROWS);
    const { list, fresh: button } = this.#parts;
    const isNew = shown.some(({ id }) => !this.#rows.has(id)) || this.#rows.size > shown.length;
    this.#isHeld = isNew && !isAsked && this.#rows.size > 0 && list.matches(':hover');
    const waiting = shown.filter(({ id }) => !this.#rows.has(id)).length;
    button.hidden = !this.#isHeld || waiting === 0;
    write(button, `${waiting} new`);
    if (this.#isHeld) {
      for (const incident of shown) if (this.#rows.has(incident.id)) this.#fill(incident);
      return;
    }
    const ids = new Set(shown.map(({ id }) => id));
    for (const [id, { row }] of this.#rows) {
      if (ids.has(id)) continue;
      row.parentElement?.remove();
      this.#rows.delete(id);
    }
    let before = list.firstElementChild;
    for (const incident of shown) {
      const { row } = this.#fill(incident);
      const item = /** @type {HTMLElement} */ (row.parentElement);
      if (fresh.includes(incident.id)) {
        item.classList.add('fresh');
        // Once: not again where the row comes to another place, or back into sight.
        item.addEventListener('animationend', () => item.classList.remove('fresh'), { once: true });
      }
      if (item === before) before = before.nextElementSibling;
      else list.insertBefore(item, before);
    }
    this.#showMore(this.#incidents.length - shown.length);
    this.#showNotices();
  }

  /** @param {number} more */
  #showMore(more) {
    const { list } = this.#parts;
    list.querySelector('.more')?.remove();
    if (more > 0 || this.#page?.more) list.append(h('li.more', {}, `and ${this.#page?.more ? 'more' : `${more} more`}: choose a shorter range`));
  }

  #showNotices() {
    const { notices } = this.#parts;
    notices.hidden = this.#notices.length === 0;
    const alike = runsOf(this.#notices);
    const lines = alike.slice(0, MAX_NOTICES).map(([notice, ...more]) => {
      const line = h('a.notice-line', { href: this.#handlers.hrefOf(notice.id), data: { id: notice.id } },
        h('span', {}, printable(notice.title), more.length > 0 && h('b', {}, ` ×${more.length + 1}`)), h('time', { dateTime: notice.start, title: fullTime(notice.start) }, clock(notice.start).slice(0, 5)));
      line.dataset.ids = [notice, ...more].map(({ id }) => id).join(' ');
      this.#mark(line, more.some(({ id }) => id === this.#chosen) ? this.#chosen : notice.id);
      return h('li', {}, line);
    });
    const rest = alike.slice(MAX_NOTICES).flat().length;
    notices.lastElementChild?.replaceChildren(...lines, ...(rest > 0 ? [h('li.more', {}, `and ${rest} more`)] : []));
  }

  /** @param {Incident} incident @returns {Row} */
  #fill(incident) {
    const { id, severity, state } = incident;
    const { fact, rest } = sentenceParts(incident);
    const how = outcome(incident, this.#handlers.now());
    const where = hostsText(incident) || (this.#ofSeveral && printable(incident.source));
    const said = JSON.stringify([severity, state, how, fact, rest, incident.end, where]);
    let known = this.#rows.get(id);
    if (!known) {
      known = { row: h('a.incident-row', { href: this.#handlers.hrefOf(id), data: { id } }), said: '' };
      h('li', {}, known.row, h('button.copy-md', { type: 'button', data: { copy: id }, title: 'A draft of a postmortem, to the clipboard', 'aria-label': `Copy Markdown: ${subjectText(incident)}` }, 'Copy Markdown'));
      this.#rows.set(id, known);
      this.#mark(known.row, id);
    }
    const { row } = known;
    if (known.said !== said) {
      known.said = said;
      Object.assign(row.dataset, { severity, state });
      row.replaceChildren(
        h('span.shape', { 'aria-hidden': 'true' }, SHAPES[severity] ?? '○'),
        h('b.subject', {}, subjectText(incident)),
        h('span.age'),
        h('span.why', {}, fact, h('span.rest', {}, rest)),
        h('span.how', {}, h('b', {}, severity), ` · ${how}`, where && ` · ${where}`),
        h('span.untold', {}, isCauseUnsaid(incident) && 'Docker does not say why'),
      );
    }
    this.#age(incident, row);
    return known;
  }

  /** @param {Incident} incident @param {HTMLElement} row */
  #age({ state, start, end }, row) {
    const age = /** @type {HTMLElement} */ (row.querySelector('.age'));
    const now = this.#handlers.now();
    const isLive = Math.abs(Date.now() - now) < LIVE_MS;
    let text = clock(start).slice(0, 5);
    if (state !== 'closed') text = lengthText(now - millis(start));
    else if (isLive && end) text = `${lengthText(now - millis(end))} ago`;
    else if (day(start) !== day(now)) text = `${day(start).slice(5)} ${text}`;
    write(age, text);
    if (!age.title) age.title = `since ${fullTime(start)}`;
  }

  #tick() {
    if (document.hidden) return;
    for (const incident of this.#incidents) {
      const known = this.#rows.get(incident.id);
      if (known) this.#age(incident, known.row);
    }
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const button = /** @type {Element} */ (event.target).closest('[data-copy]');
    if (button instanceof HTMLElement) this.#handlers.onCopy(button.dataset.copy ?? '', this.#parts.copied, button);
    const link = /** @type {Element} */ (event.target).closest('a[data-id]');
    if (!(link instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.#handlers.onOpen(link.dataset.id ?? '');
  }
}
