// Nothing that broke is an answer, too: since when is recorded, what was planned meanwhile, and in the first minutes what
// the recorder found and how to see an incident.

import { AnswerError, ask, textOf } from './answers.js';
import { h } from './dom.js';
import { clockOf, count } from './format.js';
import { fetchPart } from './history.js';
import { counted, lengthText, plannedText } from './incident-words.js';
import { parseRecord } from './items.js';
import { serverClock } from './serverclock.js';
import { millis } from './timespan.js';

/** @typedef {import('./incident-store.js').Page} Page */

/** Records among which the first look of the recorder lies, also where it was started several times before. */
const FIRST_RECORDS = 50;
/** A log that is younger explains itself. */
const YOUNG_MS = 15 * 60_000;
/** Until it is looked again whether a first host has been heard. */
const AGAIN_MS = 2_000;
/** Between two counts of what was planned. */
const COUNT_MS = 30_000;
const TRY = 'docker run -d --name try --restart always busybox sh -c "sleep 1; exit 7"';

/** Only what is new, so that nobody who selects a command loses it. @param {Element} box @param {Node[]} nodes */
function fill(box, nodes) {
  if (box.childNodes.length !== nodes.length || nodes.some((node, n) => !node.isEqualNode(box.childNodes[n]))) box.replaceChildren(...nodes);
}

export class Quiet {
  /** Since when is recorded, in milliseconds since 1970. */
  recorded = Number.NaN;
  #root;
  #first;
  #onDeaf;
  /** When the oldest record that is kept was received. */
  #began = Number.NaN;
  #log = '';
  /** What the recorder found when it began. @type {{host: string, replayed: number, from: number}[]} */
  #firsts = [];
  /** Whether it is known that no Docker host has been heard at all. */
  #isDeaf = false;
  #again = 0;
  #planned = '';
  #countedAt = 0;
  #query = '';
  /** @type {Record<string, string>} */
  #range = {};

  /** @param {HTMLElement} root @param {HTMLElement} first what the first minutes have to say, at the end of the list @param {(isDeaf: boolean) => void} onDeaf whether no Docker host has been heard */
  constructor(root, first, onDeaf) {
    this.#root = root;
    this.#first = first;
    this.#onDeaf = onDeaf;
  }

  /** @param {{since: string, until: string, range: boolean}} view */
  watch({ since, until, range }) {
    this.#range = range ? { ...(since && { since }), ...(until && { until }) } : {};
    const query = JSON.stringify(this.#range);
    if (query !== this.#query) this.#countedAt = 0;
    this.#query = query;
  }

  /** @param {number} incidents how many are told @param {Page} page */
  async show(incidents, page) {
    clearTimeout(this.#again);
    try {
      if (this.#log !== page.log.id || this.#isDeaf) await this.#learn(page);
      await this.#countPlanned(page);
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
    }
    this.#draw(incidents, page);
    // The first record is no incident, which would be heard of by itself.
    if (this.#isDeaf) this.#again = setTimeout(() => this.show(incidents, page), AGAIN_MS);
  }

  /** @param {Page} page */
  async #learn({ log }) {
    const { items } = await fetchPart({ order: 'asc', limit: String(FIRST_RECORDS) });
    this.#log = log.id;
    const records = items.map(({ line }) => parseRecord(line));
    this.recorded = Math.min(...items.map(({ at }) => at));
    this.#began = records.length ? millis(records[0].received) : Number.NaN;
    this.#isDeaf = !serverClock.isStopped && items.length < FIRST_RECORDS && records.every(({ event }) => event.Type === 'recorder' && event.Action !== 'gap');
    // The first look reads what the daemon still has; that is older than the recording.
    this.#firsts = records.flatMap(({ event, source, time, foreign }) => {
      const a = event.Actor?.Attributes ?? {};
      if (event.Type !== 'recorder' || event.Action !== 'gap' || a.reason !== 'first-contact' || foreign) return [];
      return [{ host: source, replayed: Number(a.replayed ?? 0), from: millis(a.until ?? time) }];
    });
  }

  /** @param {Page} page */
  async #countPlanned({ since, asOf }) {
    const now = performance.now();
    if (this.#countedAt > 0 && now - this.#countedAt < COUNT_MS) return;
    this.#countedAt = now;
    const range = { ...(Number.isNaN(since) ? {} : { since: new Date(since).toISOString() }), until: new Date(asOf).toISOString(), ...this.#range };
    this.#planned = plannedText(JSON.parse(await textOf(await ask('api/v1/histogram', { ...range, bins: '1' }))));
  }

  /** @param {number} incidents @param {Page} page */
  #draw(incidents, { asOf, since, until }) {
    const from = Math.max(...[since, this.recorded].filter((ms) => !Number.isNaN(ms)));
    const to = Math.min(...[until, asOf].filter((ms) => !Number.isNaN(ms)));
    const nodes = [];
    document.body.classList.toggle('deaf', this.#isDeaf);
    this.#onDeaf(this.#isDeaf);
    if (!this.#isDeaf && from < to) nodes.push(h('p', {}, `Recorded: ${lengthText(to - from)}, since ${clockOf(from)}.`));
    if (this.#planned) nodes.push(h('p', {}, `Asked for, and no incident: ${this.#planned}.`));
    fill(this.#root, nodes);
    fill(this.#first, !serverClock.isStopped && (this.#isDeaf || serverClock.now() - this.#began < YOUNG_MS) ? [this.#explain(incidents === 0)] : []);
  }

  /** The first minutes of an installation. @param {boolean} isCalm whether nothing has broken yet */
  #explain(isCalm) {
    if (this.#isDeaf) {
      return h('div.first', {}, h('h3', {}, 'No Docker host has answered'), h('p', {}, 'From its first answer on nothing is lost: each event is on disk before it is shown.'));
    }
    const found = this.#firsts.map(({ host, replayed, from }) => h('li', {}, h('b', {}, host), replayed > 0
      ? `: Docker still had ${counted(replayed, 'event')} from before, the oldest of ${clockOf(from)}. It keeps ${count(256)} at most, so what was before is not recorded.`
      : ': Docker had no events from before; what was before is not recorded.'));
    return h('div.first', {}, h('h3', {}, 'Recording has begun'), h('ul', {}, found, h('li', {}, 'From now on nothing is lost: each event is on disk before it is shown.')),
      isCalm && [h('p', {}, 'To see an incident, let a container fail:'), h('code', { tabIndex: 0 }, TRY), h('p', {}, 'and take it away again: ', h('code', {}, 'docker rm -f try'))]);
  }
}
