// Messages of the desktop for new incidents: only for those who asked for them, and only while nobody looks at the page.

import { printable } from './format.js';

export class Notifier {
  #button;

  /** @param {HTMLElement} button that asks for them */
  constructor(button) {
    this.#button = button;
    button.addEventListener('click', async () => {
      await Notification.requestPermission();
      this.#offer();
    });
    this.#offer();
  }

  /** Where there is a choice to make; on plain http there is none. */
  #offer() {
    this.#button.hidden = !('Notification' in globalThis && isSecureContext && Notification.permission === 'default');
  }

  /** @param {import('./incident-words.js').Incident[]} fresh */
  tell(fresh) {
    if (!document.hidden || !('Notification' in globalThis) || Notification.permission !== 'granted') return;
    // Several tabs have one message for one incident.
    for (const { id, severity, title } of fresh) new Notification(`${severity} incident`, { body: printable(title), tag: id });
  }
}
