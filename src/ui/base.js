// Where shipslog lives. Parts are served below `assets/HASH/`, so the place of this file says which prefix a reverse
// proxy has put before everything, and which version of the page this is. Nothing has to be set for that.

/** `https://host/any/prefix/`. In Node, where pure parts are tested, there is no such address. */
export const BASE = import.meta.url.startsWith('http') ? new URL('../../', import.meta.url).href : 'http://localhost/';

/** The hash of all parts of the page that is running. */
export const ASSETS = /\/assets\/([0-9a-f]+)\//.exec(import.meta.url)?.[1] ?? '';

/** @param {string} path like `api/v1/events` @param {Record<string, string>} [query] @returns {string} the whole address */
export function address(path, query = {}) {
  const text = new URLSearchParams(query).toString();
  return new URL(text ? `${path}?${text}` : path, BASE).href;
}

/** @returns {string} the path of this page as shipslog knows it, without the proxy's prefix */
export function here() {
  const path = location.pathname + location.search;
  return path.slice(new URL(BASE).pathname.length - 1);
}
