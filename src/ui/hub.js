// One stream for all tabs that want the same. A tab that joins names the place it has reached; what came since is sent
// from what the hub has kept, and a tab that was away for longer catches up on a connection of its own first. So every
// tab has every record once, whoever came or went. Pure: connections are made by whoever makes the hub.

import { sequenceOf } from './cursor.js';

/**
 * @typedef {import('./connection.js').Frame} Frame
 * @typedef {import('./connection.js').LinkState} LinkState
 * @typedef {import('./connection.js').Link} Link
 * @typedef {(query: Record<string, string>, after: string|null, handlers: import('./connection.js').LinkHandlers) => Link} Connect
 * @typedef {{onFrame: (frame: Frame) => void, onState: (state: LinkState) => void}} Tab
 */

/** Frames that a channel keeps for tabs that join or come back. */
const MAX_KEPT = 5_000;
/** Characters of them together. */
const MAX_KEPT_CHARS = 8_000_000;

const logOf = (/** @type {string} */ id) => id.slice(0, id.lastIndexOf('-'));

/** A tab within a channel. */
class Member {
  /** What it has, up to here. */
  reached;
  /** Its own connection, while it catches up. @type {Link|null} */
  solo = null;
  /** Whether that one has come to the head. */
  isLevel = false;

  /** @param {Tab} tab @param {string|null} after */
  constructor(tab, after) {
    this.tab = tab;
    this.reached = after;
  }

  /** @param {Frame} frame */
  give(frame) {
    const had = this.reached;
    if (had !== null && frame.id && logOf(had) === logOf(frame.id)) {
      const behind = sequenceOf(frame.id) - sequenceOf(had);
      if (frame.kind === 'record' ? behind <= 0 : behind < 0) {
        // It is ahead of the others: the stream goes on from where this tab is.
        if (frame.kind === 'hello') this.tab.onFrame({ ...frame, id: had, text: JSON.stringify({ ...JSON.parse(frame.text), after: sequenceOf(had) }) });
        if (frame.kind === 'caught-up') this.tab.onFrame({ ...frame, id: had });
        if (frame.kind !== 'reset') return;
      }
    }
    if (frame.id) this.reached = frame.id;
    this.tab.onFrame(frame);
  }
}

class Channel {
  /** @type {Set<Member>} */
  members = new Set();
  #connect;
  #query;
  /** @type {Link} */
  #link;
  /** @type {LinkState} */
  #state = 'connecting';
  #isCaughtUp = false;
  /** @type {Frame|null} */
  #hello = null;
  /** @type {Frame[]} */
  #kept = [];
  #keptChars = 0;
  /** Everything after this cursor is among what is kept. @type {string|null} */
  #from;
  /** @type {string|null} */
  #at;

  /** @param {Connect} connect @param {Record<string, string>} query @param {string|null} after */
  constructor(connect, query, after) {
    this.#connect = connect;
    this.#query = query;
    this.#from = this.#at = after;
    this.#link = connect(query, after, { onFrame: (frame) => this.#onFrame(frame), onState: (state) => this.#onState(state) });
    this.#link.open();
  }

  close() {
    this.#link.close();
  }

  /** @param {Member} member */
  join(member) {
    this.members.add(member);
    // Before the stream is open, too, a tab may be behind the place at which it will begin.
    if (member.reached === this.#at || this.#covers(member.reached)) this.#greet(member);
    else this.#alone(member);
  }

  /** @param {Member} member */
  leave(member) {
    member.solo?.close();
    this.members.delete(member);
  }

  /** @param {string|null} id @returns {boolean} whether everything after it is kept */
  #covers(id) {
    if (id === null || this.#from === null) return id === this.#from;
    return logOf(id) === logOf(this.#from) && sequenceOf(id) >= sequenceOf(this.#from);
  }

  /** Whatever it lacks is kept. @param {Member} member */
  #greet(member) {
    member.tab.onState(this.#state);
    if (this.#hello === null) return;
    const { text } = this.#hello;
    const after = member.reached;
    if (after !== null) {
      member.give({ kind: 'hello', id: after, text: JSON.stringify({ ...JSON.parse(text), after: sequenceOf(after) }) });
      this.#giveKept(member, after);
    }
    if (this.#isCaughtUp && this.#at !== null) member.give({ kind: 'caught-up', id: this.#at, text: JSON.stringify({ head: sequenceOf(this.#at) }) });
  }

  /** @param {Member} member @param {string} after */
  #giveKept(member, after) {
    for (const frame of this.#kept) if (sequenceOf(frame.id) > sequenceOf(after)) member.give(frame);
  }

  /** @param {Member} member */
  #alone(member) {
    const solo = this.#connect(this.#query, member.reached, {
      onFrame: (frame) => {
        if (member.solo !== solo) return;
        member.give(frame);
        member.isLevel ||= frame.kind === 'caught-up';
        this.#merge(member);
      },
      onState: (state) => {
        if (member.solo === solo) member.tab.onState(state);
      },
    });
    member.solo = solo;
    solo.open();
  }

  /** Ends a tab's own connection once it has what all have; before the stream has begun nobody knows that. @param {Member} member */
  #merge(member) {
    if (!member.isLevel || this.#hello === null || !this.#covers(member.reached)) return;
    member.solo?.close();
    member.solo = null;
    this.#giveKept(member, /** @type {string} */ (member.reached));
    if (this.#state !== 'open') member.tab.onState(this.#state);
  }

  /** @param {Frame} frame */
  #onFrame(frame) {
    if (frame.kind === 'hello') {
      this.#hello = frame;
      this.#from ??= frame.id;
    } else if (frame.kind === 'reset') {
      // What was kept may be of another log, and is sent again.
      this.#kept = [];
      this.#keptChars = 0;
      this.#from = frame.id;
    } else if (frame.kind === 'caught-up') {
      this.#isCaughtUp = true;
    } else if (frame.kind !== 'checkpoint') {
      this.#keep(frame);
    }
    if (frame.id) this.#at = frame.id;
    for (const member of this.members) {
      if (member.solo === null) member.give(frame);
      else this.#merge(member);
    }
  }

  /** @param {Frame} frame */
  #keep(frame) {
    this.#kept.push(frame);
    this.#keptChars += frame.text.length;
    if (this.#kept.length <= MAX_KEPT && this.#keptChars <= MAX_KEPT_CHARS) return;
    // Half of them, so that it does not happen for each frame.
    const gone = this.#kept.splice(0, Math.ceil(this.#kept.length / 2));
    for (const { text } of gone) this.#keptChars -= text.length;
    this.#from = gone[gone.length - 1].id;
  }

  /** @param {LinkState} state */
  #onState(state) {
    this.#state = state;
    if (state === 'reconnecting') this.#isCaughtUp = false;
    for (const member of this.members) if (member.solo === null) member.tab.onState(state);
  }
}

export class Hub {
  #connect;
  /** @type {Map<string, Channel>} */
  #channels = new Map();

  /** @param {Connect} connect */
  constructor(connect) {
    this.#connect = connect;
  }

  /** How many streams are open, those of tabs that catch up left out. */
  get size() {
    return this.#channels.size;
  }

  /**
   * @param {Record<string, string>} query @param {string|null} after @param {Tab} tab
   * @returns {() => void} leaves
   */
  join(query, after, tab) {
    const key = JSON.stringify(Object.entries(query).sort());
    let channel = this.#channels.get(key);
    if (!channel) {
      channel = new Channel(this.#connect, query, after);
      this.#channels.set(key, channel);
    }
    const joined = channel;
    const member = new Member(tab, after);
    joined.join(member);
    return () => {
      joined.leave(member);
      if (joined.members.size > 0 || this.#channels.get(key) !== joined) return;
      joined.close();
      this.#channels.delete(key);
    };
  }
}
