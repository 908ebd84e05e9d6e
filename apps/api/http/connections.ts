import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests of one connection that are worked on at a time. */
const AT_ONCE = 16;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** What one connection has asked and has no answer to yet. */
type Asked = { running: number; readonly waiting: (readonly [IncomingMessage, ServerResponse])[] };

export type ConnectionBounds = {
  /** Requests, of all connections together, that wait for earlier ones of their own connection. */
  readonly waiting: number;
  /** An answer of which the client takes nothing for so long is given up, and its connection with it. */
  readonly takeWithinMs: number;
};

/**
 * Bounds what clients can make the process hold that send requests and never read an answer: of each connection a few requests
 * are worked on at a time, the next ones wait unlooked at. A connection that asks beyond the bound is cut, and so is one that
 * leaves its answer lying. One that has ended its own side after its last request still gets its answers.
 */
export function boundConnections(server: Server & { httpAllowHalfOpen?: boolean }, bounds: ConnectionBounds): void {
  const handlers = server.listeners('request') as Handler[];
  const connections = new WeakMap<Socket, Asked>();
  let waiting = 0;

  const run = (asked: Asked, request: IncomingMessage, response: ServerResponse): void => {
    asked.running += 1;
    response.on('close', () => {
      asked.running -= 1;
      const next = request.socket.destroyed ? undefined : asked.waiting.shift();
      if (next === undefined) return;
      waiting -= 1;
      run(asked, ...next);
    });
    for (const handle of handlers) handle(request, response);
  };

  const askedOn = (socket: Socket): Asked => {
    const known = connections.get(socket);
    if (known !== undefined) return known;
    const asked: Asked = { running: 0, waiting: [] };
    connections.set(socket, asked);
    // Nobody is there any more to whom the rest could be answered.
    socket.once('close', () => {
      waiting -= asked.waiting.length;
      asked.waiting.length = 0;
    });
    return asked;
  };

  server.removeAllListeners('request').on('request', (request: IncomingMessage, response: ServerResponse) => {
    const asked = askedOn(request.socket);
    if (asked.running < AT_ONCE) run(asked, request, response);
    else if (waiting < bounds.waiting && !request.socket.destroyed) {
      waiting += 1;
      asked.waiting.push([request, response]);
    } else request.socket.destroy();
  });
  server.httpAllowHalfOpen = true;
  server.setTimeout(bounds.takeWithinMs, (socket) => {
    const asked = connections.get(socket);
    // Who waits for our answer is not idle, and who has not asked yet is given up with requests that do not come in whole.
    if (asked !== undefined && (asked.running === 0 || socket.writableLength > 0)) socket.destroy();
  });
}
