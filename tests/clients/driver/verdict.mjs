// What a client has received, beside the log.

/**
 * @param {string[]} lines of a client: an id, a tab, a record
 * @param {string[]} log every record, in order, from the first that the client was to receive
 * @returns {string|undefined} what is wrong at the first place where something is
 */
export function fault(lines, log) {
  const expected = log.map((line) => `${JSON.parse(line).id}\t${line}`);
  const at = lines.findIndex((line, index) => line !== expected[index]);
  if (at < 0) return undefined;
  const line = /** @type {string} */ (lines[at]);
  const place = expected.indexOf(line);
  const id = line.split('\t', 1)[0];
  if (place < 0) return `line ${at + 1}, ${id}, is not what the log has: ${line.slice(0, 300)}`;
  return place < at ? `${id} came again, as line ${at + 1}` : `${place - at} records before ${id} did not come`;
}

/** @param {string[]} log @returns {string|undefined} what is wrong with the log itself */
export function hole(log) {
  const at = log.findIndex((line, index) => JSON.parse(line).seq !== index + 1);
  return at < 0 ? undefined : `line ${at + 1} of the log is ${log[at]}`;
}
