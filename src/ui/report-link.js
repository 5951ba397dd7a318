// A report of one incident on its way to the clipboard, from the list and from its page.

import { AnswerError } from './answers.js';
import { copy } from './clipboard.js';
import { reportAddress } from './outs.js';

/** @param {string} id of an incident @returns {Promise<string>} a draft of a postmortem */
async function markdownOf(id) {
  const response = await fetch(reportAddress(id, 'markdown'), { redirect: 'manual' });
  if (!response.ok) throw new AnswerError('failed', response.status, 'no report');
  return response.text();
}

/** @param {string} id of an incident @param {HTMLElement} box where the text can be selected when there is no clipboard @returns {Promise<string>} what to say of it */
export async function copyReport(id, box) {
  try {
    return await copy(await markdownOf(id), box);
  } catch {
    return 'not copied: the server did not answer';
  }
}
