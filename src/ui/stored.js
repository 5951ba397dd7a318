// The stored records of one view on their way into the list: from any place, in both directions, as far as the reader
// scrolls. Whatever goes wrong on the way is told once, and asked again where that can help.

import { AnswerError } from './answers.js';
import { meets } from './gaps.js';
import { fetchActs, fetchGaps, History } from './history.js';
import { millis } from './timespan.js';

/**
 * @typedef {import('./history.js').Part} Part
 * @typedef {import('./rows.js').RecordItem} RecordItem
 * @typedef {import('./list.js').EventList} EventList
 * @typedef {{kind: 'loading'|'failed'|'login'|'refused', text: string}} Notice
 * @typedef {{edge: 'older'|'newer'}|{time: number}|{id: string}} Target
 */

const RETRY_FIRST_MS = 2_000;
const RETRY_MAX_MS = 15_000;

/** @param {number} ms @param {AbortSignal} signal */
const sleep = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms, undefined);
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    resolve(undefined);
  });
});

export class Stored {
  /** The recorder's gaps that meet the view, by sequence; null until asked. @type {Map<number, RecordItem>|null} */
  gaps = null;
  /** The log as it was at the last answer. @type {import('./history.js').LogBounds|null} */
  log = null;
  /** The time that the view spans, in milliseconds. */
  span = { from: Number.NaN, until: Number.NaN };
  #query;
  #list;
  #onNotice;
  #onRetry;
  #close = new AbortController();
  #turn = new AbortController();
  #history;
  #onGaps;
  #gapsSince;
  #asked = false;

  /**
   * @param {Record<string, string>} query filter, since, until @param {EventList} list
   * @param {{onNotice: (notice: Notice|null) => void, onRetry?: () => void, onGaps?: () => void}} handlers
   * @param {string} [gapsSince] how far back the recorder's gaps are asked for, where the view has no beginning
   */
  constructor(query, list, { onNotice, onRetry = () => {}, onGaps = () => {} }, gapsSince = '') {
    this.#query = query;
    this.#list = list;
    this.#onNotice = onNotice;
    this.#onRetry = onRetry;
    this.#onGaps = onGaps;
    this.#gapsSince = query.since ?? gapsSince;
    this.#history = new History(query, list.held.fold, this.#turn.signal);
    this.span = { from: millis(query.since ?? ''), until: millis(query.until ?? '') };
  }

  /** Health checks that the server left out of what was loaded. */
  get folded() {
    return this.#history.folded;
  }

  close() {
    this.#close.abort();
    this.#turn.abort();
  }

  /**
   * Shows the log at a place; what was shown before is void.
   * @param {Target} target @returns {Promise<Part|null>} the newest part that was loaded; null when another place was asked for meanwhile, or for good
   */
  async open(target) {
    this.#turn.abort();
    this.#turn = new AbortController();
    this.#history = new History(this.#query, this.#list.held.fold, this.#turn.signal);
    const { signal } = this.#turn;
    this.#list.clear();
    const last = await this.#persist(() => this.#load(target, signal), signal, 'loading…');
    if (last) this.#learn(signal);
    return last;
  }

  /** @param {Target} target @param {AbortSignal} signal @returns {Promise<Part>} */
  async #load(target, signal) {
    const { held } = this.#list;
    let seed = null;
    if ('id' in target) seed = await this.#history.one(target.id);
    else if ('time' in target) seed = await this.#history.firstSince(new Date(target.time).toISOString());
    else if (target.edge === 'older') seed = await this.#history.first();
    if (seed === null) {
      const part = await this.#history.newest();
      if (signal.aborted) return part;
      this.#list.extend(part.items);
      held.complete = { older: !part.more, newer: true };
      return this.#took(part);
    }
    const [before, after] = await Promise.all([this.#history.before(seed.id), this.#history.after(seed.id)]);
    if (signal.aborted) return after;
    this.#list.extend([...before.items, ...(held.fold && seed.noise && !('id' in target) ? [] : [seed]), ...after.items]);
    held.complete = { older: !before.more, newer: !after.more };
    this.#took(before);
    this.#list.show(seed.seq, 'id' in target ? { select: true } : { top: true });
    return this.#took(after);
  }

  /** More at an end, as the reader comes near it. @param {'older'|'newer'} end @returns {Promise<Part|null>} */
  async more(end) {
    const { held } = this.#list;
    const from = end === 'older' ? held.oldest : held.newest;
    if (from === null) return null;
    const { signal } = this.#turn;
    const part = await this.#persist(() => this.#history[end === 'older' ? 'before' : 'after'](from.id), signal, null);
    if (part === null || signal.aborted) return null;
    // Whatever was held at that end may have been let go meanwhile.
    if ((end === 'older' ? held.oldest : held.newest) !== from) return null;
    if (end === 'older') this.#list.prepend(part.items);
    else this.#list.extend(part.items);
    held.complete[end] = !part.more;
    this.#took(part);
    this.#judge(part.items, signal);
    this.placeGaps();
    return part;
  }

  /** Gaps that the filter hides, as soon as a neighbour is shown. @param {RecordItem[]} found */
  addGaps(found) {
    this.know(found.map((item) => ({ ...item, strayed: true })));
    this.placeGaps();
  }

  /** Gaps that the header speaks of. @param {RecordItem[]} found */
  know(found) {
    const known = (this.gaps ??= new Map());
    for (const item of found) if (!known.has(item.seq) && item.gap && this.#concerns(item.gap)) known.set(item.seq, { ...item, strayed: true });
    this.#onGaps();
  }

  /** Puts the gaps that belong among what is held into their places. */
  placeGaps() {
    const { held } = this.#list;
    const low = held.complete.older ? 0 : held.oldest?.seq ?? Number.POSITIVE_INFINITY;
    const high = held.complete.newer ? Number.POSITIVE_INFINITY : held.newest?.seq ?? 0;
    const due = [...(this.gaps?.values() ?? [])].filter(({ seq }) => seq > low && seq < high);
    if (due.length) this.#list.insert(due);
  }

  /** @param {import('./gaps.js').Gap} gap */
  #concerns(gap) {
    return meets(gap, millis(this.#gapsSince), millis(this.#query.until ?? ''));
  }

  /** @param {Part} part @returns {Part} */
  #took(part) {
    this.log = part.log;
    this.addGaps(part.gaps);
    return part;
  }

  /** What is asked besides: the ends of the time, the recorder's gaps, why containers died. @param {AbortSignal} signal */
  async #learn(signal) {
    const { held } = this.#list;
    this.#judge(/** @type {RecordItem[]} */ (held.shown.filter((item) => 'seq' in item && 'line' in item)), signal);
    if (Number.isNaN(this.span.from)) this.#side(async () => {
      this.span.from = (await this.#history.first())?.at ?? Number.NaN;
      // The scrollbar is drawn with the rows.
      this.#list.refill();
    }, signal);
    if (Number.isNaN(this.span.until) && held.complete.newer) this.span.until = held.newest?.at ?? Number.NaN;
    if (this.gaps !== null && this.#asked) return;
    this.#asked = true;
    await this.#side(async () => this.addGaps(await fetchGaps({ ...this.#query, since: this.#gapsSince }, signal)), signal);
  }

  /** @param {RecordItem[]} items @param {AbortSignal} signal */
  #judge(items, signal) {
    const { filters = '', exclude = '' } = this.#query;
    if (!filters && !exclude) return;
    const deaths = items.filter(({ told }) => told?.action === 'die');
    if (deaths.length === 0) return;
    this.#side(async () => this.#list.judgeBy(await fetchActs(deaths, this.#query, signal)), signal);
  }

  /** Something that the view can do without. @param {() => Promise<void>} work @param {AbortSignal} signal */
  async #side(work, signal) {
    try {
      await work();
      if (!signal.aborted) this.#onNotice(null);
    } catch (error) {
      if (!(error instanceof AnswerError) && !signal.aborted) throw error;
    }
  }

  /**
   * Asks until there is an answer; null when the request is wrong, or another one has taken its place.
   * @template T @param {() => Promise<T>} work @param {AbortSignal} signal @param {string|null} saying while it is under way
   * @returns {Promise<T|null>}
   */
  async #persist(work, signal, saying) {
    for (let pause = RETRY_FIRST_MS; !signal.aborted && !this.#close.signal.aborted; pause = Math.min(RETRY_MAX_MS, pause * 2)) {
      if (saying) this.#onNotice({ kind: 'loading', text: saying });
      try {
        const result = await work();
        if (signal.aborted) return null;
        this.#onNotice(null);
        return result;
      } catch (error) {
        if (signal.aborted) return null;
        if (!(error instanceof AnswerError)) throw error;
        const { kind, message, isFinal } = error;
        if (isFinal) {
          this.#onNotice({ kind: 'refused', text: message });
          return null;
        }
        this.#onNotice({ kind, text: message });
        this.#onRetry();
        saying = null;
        await sleep(pause, signal);
      }
    }
    return null;
  }
}
