// A reverse proxy in front of the server, as people have them: with a prefix, with a login, or not ready yet.

import { once } from 'node:events';
import { createServer, request } from 'node:http';

/**
 * @param {import('node:test').TestContext} t @param {string} target origin of the server
 * @param {{prefix?: string, host?: string, answer?: (request: import('node:http').IncomingMessage, response: import('node:http').ServerResponse) => boolean}} [how]
 *   `host`: what the server is told to be, as by nginx that nobody told otherwise; `answer` gives true when it has answered by itself
 * @returns {Promise<string>} the address of the proxy, with its prefix and a slash
 */
export async function front(t, target, { prefix = '/', host = '', answer = () => false } = {}) {
  const { hostname, port } = new URL(target);
  const headersOf = (/** @type {import('node:http').IncomingMessage} */ { headers }) => (host ? { ...headers, host } : headers);
  const server = createServer((asked, response) => {
    if (answer(asked, response)) return;
    if (!asked.url?.startsWith(prefix)) {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('another site');
      return;
    }
    // The Host as the browser sent it, as most guides have it, unless told otherwise.
    const path = `/${asked.url.slice(prefix.length)}`;
    const onward = request({ hostname, port, path, method: asked.method, headers: headersOf(asked) }, (got) => {
      response.writeHead(got.statusCode ?? 502, got.headers);
      got.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    asked.pipe(onward);
  });
  server.on('upgrade', (asked, socket) => {
    const onward = request({ hostname, port, path: `/${asked.url?.slice(prefix.length)}`, headers: headersOf(asked) });
    onward.on('upgrade', ({ headers }, other) => {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      other.pipe(socket).pipe(other);
      socket.on('error', () => other.destroy());
      other.on('error', () => socket.destroy());
    });
    onward.on('response', () => socket.destroy());
    onward.on('error', () => socket.destroy());
    onward.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}${prefix}`;
}
