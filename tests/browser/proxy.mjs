// A way to the server that a test can cut: connections are handed on byte by byte, those of a WebSocket are counted and known.
import { connect, createServer } from 'node:net';

/** `target`: the server's address. `state`: what was sent over WebSockets, after how many bytes they are cut or held, and whether new ones are refused. */
export async function startProxy(target) {
  const { hostname, port } = new URL(target);
  const sockets = new Set();
  const lines = new Set(); // those of WebSockets
  const state = { sentBytes: 0, opened: 0, refuse: false, cutAfter: Infinity, holdAfter: Infinity };

  function cut() {
    for (const line of lines) line.destroy();
  }

  const server = createServer((inside) => {
    const outside = connect(Number(port), hostname);
    let isLine = null; // known with the first bytes
    const end = () => {
      lines.delete(inside);
      inside.destroy();
      outside.destroy();
    };
    for (const socket of [inside, outside]) {
      sockets.add(socket);
      socket.on('error', end).on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    inside.on('data', (bytes) => {
      if (isLine === null) {
        isLine = bytes.toString('latin1').startsWith('GET /api/v1/connect ');
        if (isLine && state.refuse) {
          inside.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
          return;
        }
        if (isLine) {
          lines.add(inside);
          state.opened += 1;
        }
      }
      if (isLine) {
        state.sentBytes += bytes.length;
        if (state.sentBytes >= state.cutAfter) {
          state.cutAfter = Infinity;
          end();
          return;
        }
      }
      const isHeld = isLine && state.sentBytes >= state.holdAfter;
      if (!outside.write(bytes) || isHeld) inside.pause();
    });
    outside.on('drain', () => {
      if (!isLine || state.sentBytes < state.holdAfter) inside.resume();
    });
    outside.on('data', (bytes) => {
      if (!inside.write(bytes)) outside.pause();
    });
    inside.on('drain', () => outside.resume());
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    state,
    cut,
    release: () => {
      state.holdAfter = Infinity;
      for (const line of lines) line.resume();
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
