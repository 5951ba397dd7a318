// The present view for curl and the command line, in a dialog of its own.

import { copy } from './clipboard.js';
import { h } from './dom.js';
import { incidentCommands, viewCommands } from './outs.js';

/**
 * @param {HTMLDialogElement} dialog @param {{q: string, since: string, until: string}} view
 * @param {import('./pane.js').IncidentPane} pane
 */
export function showCommands(dialog, view, { incident, now }) {
  const lines = [...(incident ? incidentCommands(incident, now) : []), ...viewCommands(view)];
  dialog.querySelector('dl')?.replaceChildren(...lines.flatMap(([what, command]) => {
    const code = h('code', { tabIndex: 0 }, command);
    const button = h('button', { type: 'button', 'aria-label': `Copy: ${what}`, onclick: async () => { button.textContent = await copy(command, code); } }, 'Copy');
    return [h('dt', {}, what), h('dd', {}, code, button)];
  }));
  dialog.showModal();
}
