// The worker that all tabs of a browser share: it holds the streams, one for each filter in use.

import { BASE } from './base.js';
import { Connection } from './connection.js';
import { Hub } from './hub.js';

/** A tab that has said nothing for so long has crashed. Browsers let the timers of hidden tabs run once a minute. */
const SILENT_MS = 150_000;
const SWEEP_MS = 30_000;

const hub = new Hub((query, after, handlers) => new Connection(BASE, query, after, handlers));
/** @type {Map<MessagePort, {heard: number, leave: Map<number, () => void>}>} */
const tabs = new Map();

/** @param {MessagePort} port */
function forget(port) {
  for (const leave of tabs.get(port)?.leave.values() ?? []) leave();
  tabs.delete(port);
}

/** @param {MessagePort} port @param {any} message */
function onMessage(port, message) {
  const tab = tabs.get(port) ?? { heard: 0, leave: new Map() };
  tabs.set(port, tab);
  tab.heard = Date.now();
  const { number } = message;
  if (message.kind === 'join') {
    port.postMessage({ number, kind: 'joined' });
    tab.leave.set(number, hub.join(message.query, message.after, {
      onFrame: (frame) => port.postMessage({ number, kind: 'frame', frame }),
      onState: (state) => port.postMessage({ number, kind: 'state', state }),
    }));
  } else if (message.kind === 'leave') {
    tab.leave.get(number)?.();
    tab.leave.delete(number);
  } else if (message.kind === 'alive' && !tab.leave.has(number)) {
    // It was taken for dead.
    port.postMessage({ number, kind: 'gone' });
  }
}

setInterval(() => {
  for (const [port, { heard }] of tabs) if (Date.now() - heard > SILENT_MS) forget(port);
}, SWEEP_MS);

/** @type {any} */ (globalThis).onconnect = (/** @type {MessageEvent} */ { ports: [port] }) => {
  port.onmessage = ({ data }) => onMessage(port, data);
};
