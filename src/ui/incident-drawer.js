// One incident: a sentence, what can be done with it, and exactly three sections: what changed, how it went, and what
// that rests on.

import { AnswerError, ask, textOf } from './answers.js';
import { copy } from './clipboard.js';
import { copyReport } from './report-link.js';
import { whatChanged } from './diff.js';
import { h, morph, write } from './dom.js';
import { evidenceOf, gatherEvidence } from './evidence.js';
import { clock, clockOf, day, printable } from './format.js';
import { headline, shortTitle } from './headline.js';
import { SHAPES, counted, lengthText, outcome, plain, subjectText } from './incident-words.js';
import { revealLane } from './lane-reveal.js';
import { evidenceAddress, hostCommands, linksOut, reportAddress } from './outs.js';
import { millis } from './timespan.js';
import { timelineOf } from './timeline.js';
import { whatIsSaid } from './unsaid.js';
import { zoneName } from './zone.js';

/** @typedef {import('./incident-words.js').Incident} Incident */

/** Between two looks at the evidence of an incident that goes on. */
const AGAIN_MS = 3_000;
/** The ages of one that is open count on. */
const TICK_MS = 5_000;

export class IncidentDrawer {
  #root;
  #handlers;
  #id = '';
  /** @type {Incident|null} what is shown, with its timeline once that is here */
  #incident = null;
  /** @type {import('./evidence.js').Found|null} */
  #found = null;
  /** @type {import('./outs.js').LinkOut[]|null} */
  #links = null;
  #loading = new AbortController();
  #again = 0;
  /** Revisions: the one that is shown, and the newest that is known of. */
  #loaded = -1;
  #wanted = -1;
  #isLoading = false;
  /** Whether a phone shows everything that can be done with it. */
  #hasAllActs = false;
  #trouble = '';

  /**
   * @param {HTMLElement} root
   * @param {{link: import('./diff.js').RecordLink, hrefOfEvents: (incident: Incident) => string, linkTo: (incident: Incident) => string, onAct: (act: string, incident: Incident) => void,
   *   now: () => number, recorded: () => number}} handlers
   */
  constructor(root, handlers) {
    this.#root = root;
    this.#handlers = handlers;
    setInterval(() => {
      if (this.#incident?.state === 'open' && !document.hidden) this.#draw();
    }, TICK_MS);
    root.addEventListener('click', (event) => {
      const act = /** @type {HTMLElement|null} */ (/** @type {Element} */ (event.target).closest('[data-act]'));
      if (!act || event.ctrlKey || event.metaKey || event.shiftKey) return;
      if (this.act(act.dataset.act ?? '', act)) event.preventDefault();
    });
  }

  get id() {
    return this.#id;
  }

  get incident() {
    return this.#incident;
  }

  /** @param {string} id @param {Incident|null} known what the list has of it */
  open(id, known) {
    if (this.#id !== id) {
      this.#id = id;
      this.#incident = known;
      this.#found = null;
      this.#loaded = this.#wanted = -1;
      this.#trouble = '';
      this.#root.replaceChildren();
      this.#root.scrollTop = 0;
      this.#load();
    }
    this.#root.hidden = false;
    this.#draw();
  }

  close() {
    this.#root.hidden = true;
    this.#id = '';
    this.#incident = null;
    this.#loading.abort();
    this.#isLoading = false;
    clearTimeout(this.#again);
    this.#again = 0;
  }

  /** The list has news of it. @param {Incident} known */
  meet(known) {
    if (known.id !== this.#id) return;
    this.#wanted = known.revision;
    if (this.#isLoading) return;
    if (this.#loaded === known.revision) this.#draw();
    else if (!this.#again) this.#again = setTimeout(() => this.#load(), AGAIN_MS);
  }

  /** The zone has changed. */
  refill() {
    if (this.#id) this.#draw();
  }

  /** @param {string} act @param {Element} [target] its button @returns {boolean} whether it is done here */
  act(act, target = document.body) {
    const incident = this.#incident;
    if (!incident) return false;
    const { linkTo, onAct } = this.#handlers;
    if (act === 'copy-link') this.#copy(Promise.resolve(linkTo(incident)));
    else if (act === 'copy-markdown') this.#copyMarkdown(incident);
    else if (act === 'copy-next') this.#copy(Promise.resolve(target.previousElementSibling?.textContent ?? ''));
    else if (act === 'more') {
      this.#hasAllActs = !this.#hasAllActs;
      this.#draw();
    } else if (['replay', 'events', 'back'].includes(act)) onAct(act, incident);
    else return false;
    return true;
  }

  focus() {
    /** @type {HTMLElement|null} */ (this.#root.querySelector('h2'))?.focus();
  }

  /** To the section on what changed. */
  toDiff() {
    const section = /** @type {HTMLElement|null} */ (this.#root.querySelector('.changed'));
    section?.focus();
    section?.scrollIntoView({ block: 'nearest' });
  }

  /** @param {Incident} incident */
  async #copyMarkdown({ id }) {
    const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (this.#root.querySelector(name));
    write(part('.said'), await copyReport(id, part('.copied')));
  }

  /** @param {Promise<string>} text */
  async #copy(text) {
    const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (this.#root.querySelector(name));
    write(part('.said'), await copy(await text, part('.copied')));
  }

  async #load() {
    clearTimeout(this.#again);
    this.#again = 0;
    this.#loading.abort();
    const { signal } = (this.#loading = new AbortController());
    // One that changes faster than it is told is still told.
    this.#isLoading = true;
    try {
      const incident = JSON.parse(await textOf(await ask(`api/v1/incidents/${encodeURIComponent(this.#id)}`, {}, signal)));
      if (signal.aborted) return;
      this.#incident = incident;
      this.#loaded = incident.revision;
      this.#trouble = '';
      this.#draw();
      if (this.#found === null) revealLane(incident.kind === 'mass' ? subjectText(incident) : incident.subjects[0]?.key ?? incident.subject, () => this.#id === incident.id);
      const [found] = await Promise.all([gatherEvidence(incident, this.#handlers.now(), signal), this.#learnLinks(signal)]);
      if (signal.aborted) return;
      this.#found = found;
      if (!found.isWhole) this.#again = setTimeout(() => this.#load(), 5 * AGAIN_MS);
      this.#draw();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof AnswerError)) throw error;
      this.#trouble = error.status === 410 ? 'The records of this incident were removed by retention.' : error.status === 404 ? 'There is no such incident in this log.' : `Not loaded: ${error.message}.`;
      if (!error.isFinal) this.#again = setTimeout(() => this.#load(), AGAIN_MS);
      this.#draw();
    } finally {
      if (!signal.aborted) this.#isLoading = false;
    }
    if (!signal.aborted && this.#wanted > this.#loaded && !this.#again) this.#again = setTimeout(() => this.#load(), AGAIN_MS);
  }

  /** Templates of other programs, from the configuration. @param {AbortSignal} signal */
  async #learnLinks(signal) {
    if (this.#links) return;
    try {
      this.#links = JSON.parse(await textOf(await ask('api/v1/stats', {}, signal))).links ?? [];
    } catch (error) {
      if (!(error instanceof AnswerError) && !signal.aborted) throw error;
    }
  }

  #draw() {
    const incident = this.#incident;
    const next = h('div.incident-page', {}, incident ? this.#page(incident) : h('p.trouble', {}, this.#trouble || 'loading…'));
    if (this.#root.firstElementChild) morph(this.#root.firstElementChild, next);
    else this.#root.append(next);
  }

  /** @param {Incident} incident */
  #page(incident) {
    const { link, now, recorded, hrefOfEvents } = this.#handlers;
    const { id, severity, state, confidence, qualified, related = [], merged_into: merged } = incident;
    const button = (/** @type {string} */ act, /** @type {string} */ text, /** @type {string} */ title) => h('button', { type: 'button', data: { act }, title }, text);
    const out = (/** @type {string} */ href, /** @type {string|(string|Node)[]} */ text, /** @type {Record<string, any>} */ more = {}) => h('a.button', { href, rel: 'noopener', ...more }, text);
    const name = this.#found?.before?.find(({ id: each }) => each.startsWith(incident.containers[0] ?? '-'))?.name ?? incident.containers[0] ?? '';
    return [
      h('p.back', {}, h('button', { type: 'button', data: { act: 'back' } }, '‹ Incidents')),
      h('div.incident-head', {},
        h('h2', { tabIndex: -1 }, headline(incident)),
        h('div.incident-acts', {},
          h('button.first-act', { type: 'button', data: { act: 'copy-markdown' }, title: 'A draft of a postmortem, to the clipboard (m)' }, 'Copy Markdown'), button('copy-link', 'Copy link', 'With absolute times'),
          out(reportAddress(id, 'html'), ['Report', h('span', { 'aria-hidden': 'true' }, '\u00a0↗')], { target: '_blank', title: 'One page for reading and printing, without scripts; opens in a tab of its own' }),
          h('button.more-acts', { type: 'button', data: { act: 'more' }, 'aria-expanded': String(this.#hasAllActs), 'aria-label': 'Replay, events and other formats' }, '…'),
          out(reportAddress(id, 'perfetto'), 'Perfetto', { download: '', title: 'A trace for ui.perfetto.dev' }),
          out(evidenceAddress(incident, now()), 'Evidence', { download: '', title: 'The records of its containers as JSON Lines' }),
          button('replay', 'Replay ×10', 'As it came, ten times as fast (r)'), h('a.button', { href: hrefOfEvents(incident), data: { act: 'events' } }, 'Events'),
          linksOut(this.#links ?? [], incident, now(), name).map(({ name: title, url }) => out(url, `${printable(title)} ↗`, { target: '_blank' })),
          h('output.said', { data: { own: '' } }))),
      h('pre.copied', { hidden: true, tabIndex: 0, data: { own: '' } }),
      this.#unsaid(incident),
      h('p.facts', { data: { severity, state } }, this.#facts(incident).map((fact, n) => h(n === 0 ? 'b' : 'span', {}, fact))),
      confidence === 'qualified' && h('p.qualified', {}, h('b', {}, 'Not everything is known: '), `${qualified.map(plain).join('; ')}.`),
      merged && h('p.qualified', {}, 'Another incident took it in: ', h('a', { href: `?i=${merged}`, data: { id: merged } }, merged)),
      this.#trouble && h('p.trouble', {}, this.#trouble),
      // All three at once, so that none moves the others when it comes.
      !incident.timeline ? h('p.loading', {}, this.#trouble ? '' : 'loading…') : h('div.sections', {},
        h('section.changed', { tabIndex: -1, 'aria-label': 'What changed' }, h('h3', {}, 'What changed'), whatChanged(incident, { recorded: recorded(), link }), this.#phases(incident)),
        h('section.course', { 'aria-label': 'Timeline' }, h('h3', {}, 'Timeline'), timelineOf(incident, link, now()), this.#related(incident, related)),
        h('section.proof-of', { 'aria-label': 'Evidence' }, h('h3', {}, 'Evidence'), evidenceOf(incident, this.#found, link, hrefOfEvents(incident), this.#commands(incident)))),
    ];
  }

  /** Who asks why is told at once that events do not say it. @param {Incident} incident */
  #unsaid(incident) {
    const said = whatIsSaid(incident, { recorded: this.#handlers.recorded(), words: this.#found ? this.#found.words.length : null });
    return said.length > 0 && h('p.unsaid', {}, h('b', {}, 'Docker’s events do not say why. '), `They say: ${said.join('; ')}.`);
  }

  /** @param {Incident} incident @returns {string[]} */
  #facts(incident) {
    const { severity, state, start, end, subjects, replicas, source, confidence } = incident;
    const now = this.#handlers.now();
    const at = (/** @type {string} */ time) => clock(time).slice(0, 8);
    const how = state === 'open' ? `open for ${lengthText(now - millis(start))}` : outcome(incident, now);
    const when = end ? `${clockOf(millis(start))}${at(start) === at(end) && day(start) === day(end) ? '' : ` to ${day(start) === day(end) ? at(end) : clockOf(millis(end))}`} ${zoneName()}` : `since ${clockOf(millis(start))} ${zoneName()}`;
    return [`${severity}, ${how}`, when, ...(replicas ? [`${replicas.down} of ${replicas.of} down`] : []), ...(subjects.length > 1 ? [counted(subjects.length, 'subject')] : []),
      `on ${printable(source)}`, confidence === 'complete' ? 'evidence complete' : 'evidence incomplete'];
  }

  /** @param {Incident} incident */
  #phases({ phases = [], start }) {
    if (phases.length < 2) return null;
    return [h('h4', {}, 'It came in phases'), h('ol.order', {}, phases.map((phase) => h('li', {}, this.#handlers.link(phase.first, clock(phase.start).slice(0, 8)), ` ${plain(phase.text)}`,
      phase.start !== start && ` (+${lengthText(millis(phase.start) - millis(start))})`, phase.cause.map(({ text }) => h('p.soft', {}, plain(text))))))];
  }

  /** @param {Incident} incident @param {NonNullable<Incident['related']>} related */
  #related({ start }, related) {
    const when = (/** @type {number} */ at) => `${lengthText(Math.abs(at - millis(start)))} ${at < millis(start) ? 'before' : 'after'} it began`;
    const deploys = (this.#found?.deploys ?? []).map(({ key, at, record, text }) =>
      h('li', {}, h('span.mk', { data: { what: 'change' }, 'aria-hidden': 'true' }, 'C'), ' ', h('b', {}, printable(key)), ` ${printable(text.startsWith('made') ? `was ${text}` : text)}, `, this.#handlers.link(record, when(at))));
    return [h('h4', {}, 'At the same time'), related.length === 0 ? h('p.soft', {}, 'Nothing else failed on this host.')
      : h('ul.tried', {}, related.map(({ id, severity, start: began, title }) => h('li', {}, `${SHAPES[severity] ?? '○'} `, h('a', { href: `?i=${id}`, data: { id } }, shortTitle(title)), h('span.soft', {}, ` ${clockOf(millis(began))}`)))), deploys.length > 0 && h('ul.tried', {}, deploys)];
  }

  /** @param {Incident} incident */
  #commands(incident) {
    return [h('h4', {}, 'Look further'), h('dl.commands', {}, hostCommands(incident).map(([what, command]) => [h('dt', {}, what), h('dd', {}, h('code', { tabIndex: 0 }, command), h('button', { type: 'button', data: { act: 'copy-next' }, 'aria-label': `Copy: ${command}` }, 'Copy'))]))];
  }
}
