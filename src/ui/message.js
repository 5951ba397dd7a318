// Docker's message as text, as it came, for people. A number above 2^53 stays what it was, and so does the order of keys.

/**
 * @param {string} line one record as the server sent it; `event` is its last member
 * @returns {string} Docker's message, character for character
 */
export function eventText(line) {
  // A string value cannot hold `"event":` itself: its quotes would be escaped.
  const key = '"event":';
  return line.slice(line.indexOf(key) + key.length, line.lastIndexOf('}')).trim();
}

/** Deeper levels are not indented further: a message may be nested a hundred thousand times. */
const MAX_INDENT = 32;
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** @param {string} json @returns {string} the same tokens, indented by two spaces */
export function indent(json) {
  let out = '';
  let depth = 0;
  let previous = '';
  const line = () => `\n${'  '.repeat(Math.max(0, Math.min(depth, MAX_INDENT)))}`;
  for (const [token] of json.matchAll(TOKEN)) {
    if (token === '}' || token === ']') {
      depth -= 1;
      out += previous === '{' || previous === '[' ? token : line() + token;
    } else {
      if (previous === '{' || previous === '[' || previous === ',') out += line();
      out += token === ':' ? ': ' : token;
      if (token === '{' || token === '[') depth += 1;
    }
    previous = token;
  }
  return out;
}
