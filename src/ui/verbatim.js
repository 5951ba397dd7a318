// Works on JSON as text. `timeNano` is above 2^53, so JSON.parse followed by JSON.stringify would show a
// number that Docker never sent; and "verbatim" also means key order and escapes as they came.

/** @param {string} text @param {number} open index of the opening quote @returns {number} index of the closing one */
function endOfString(text, open) {
  for (let at = text.indexOf('"', open + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let before = at - 1;
    while (text[before] === '\\') before -= 1;
    // An even number of backslashes escape each other and leave the quote alone.
    if ((at - before) % 2 === 1) return at;
  }
  throw new SyntaxError('unterminated string in JSON');
}

/** @param {string} text @param {string} name @param {number} from @returns {{items: string[], open: number, end: number}|null} the objects of a list */
function cutList(text, name, from) {
  const key = text.indexOf(`"${name}":`, from);
  const open = key === -1 ? -1 : text.indexOf('[', key);
  if (open === -1) return null;
  const items = [];
  let depth = 0;
  let start = 0;
  for (let at = open + 1; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') at = endOfString(text, at);
    else if (char === '{' && depth++ === 0) start = at;
    else if (char === '}' && --depth === 0) items.push(text.slice(start, at + 1));
    else if (char === ']' && depth === 0) return { items, open, end: at };
  }
  throw new SyntaxError(`unterminated "${name}" in the answer`);
}

/**
 * Cuts a history answer into the text of each record and the rest of the envelope.
 * @param {string} text `{"records":[…],"page":…,"log":…,"incomplete":[…]}`
 * @returns {{records: string[], incomplete: string[], envelope: any}}
 */
export function splitPage(text) {
  const records = cutList(text, 'records', 0);
  if (records === null) throw new SyntaxError('no "records" in the answer');
  const rest = `${text.slice(0, records.open)}[]${text.slice(records.end + 1)}`;
  const incomplete = cutList(rest, 'incomplete', records.open);
  const envelope = JSON.parse(incomplete === null ? rest : `${rest.slice(0, incomplete.open)}[]${rest.slice(incomplete.end + 1)}`);
  return { records: records.items, incomplete: incomplete?.items ?? [], envelope };
}
