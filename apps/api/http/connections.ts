import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests of one connection that are worked on at a time. */
const AT_ONCE = 16;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
type ErrorHandler = (error: Error, socket: Socket) => void;

/** What one connection has asked and has no answer to yet. */
type Asked = {
  running: number;
  readonly waiting: (readonly [IncomingMessage, ServerResponse])[];
  /** The answer to the last request that came, as long as it is under way. The end of that request may be missing. */
  last: ServerResponse | null;
  /** Says why nothing more is read; null while the connection can be read. */
  refuse: (() => void) | null;
};

export type ConnectionBounds = {
  /** Requests, of all connections together, that wait for earlier ones of their own connection. */
  readonly waiting: number;
  /**
   * An answer of which the client takes nothing for so long is given up, and its connection with it; so is what is left of a
   * connection that could not be read on.
   */
  readonly takeWithinMs: number;
};

/**
 * Bounds what clients can make the process hold that send requests and never read an answer: of each connection a few requests
 * are worked on at a time, the next ones wait unlooked at. A connection that asks beyond the bound is cut, and so is one that
 * leaves its answer lying. One that has ended its own side after its last request still gets its answers, and so does one that
 * goes on with what cannot be read: that is told behind them.
 */
export function boundConnections(server: Server & { httpAllowHalfOpen?: boolean }, bounds: ConnectionBounds): void {
  const handlers = server.listeners('request') as Handler[];
  const errorHandlers = server.listeners('clientError') as ErrorHandler[];
  const connections = new WeakMap<Socket, Asked>();
  let waiting = 0;

  const run = (asked: Asked, request: IncomingMessage, response: ServerResponse): void => {
    asked.running += 1;
    response.on('close', () => {
      asked.running -= 1;
      if (asked.last === response) asked.last = null;
      const next = request.socket.destroyed ? undefined : asked.waiting.shift();
      if (next !== undefined) {
        waiting -= 1;
        run(asked, ...next);
      }
      if (asked.refuse !== null && isAnswered(asked)) asked.refuse();
    });
    for (const handle of handlers) handle(request, response);
  };

  const askedOn = (socket: Socket): Asked => {
    const known = connections.get(socket);
    if (known !== undefined) return known;
    const asked: Asked = { running: 0, waiting: [], last: null, refuse: null };
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
    // It has come whole after all, but is told already that it was too late.
    if (asked.refuse !== null) return;
    asked.last = response;
    if (asked.running < AT_ONCE) run(asked, request, response);
    else if (waiting < bounds.waiting && !request.socket.destroyed) {
      waiting += 1;
      asked.waiting.push([request, response]);
    } else request.socket.destroy();
  });
  server.removeAllListeners('clientError').on('clientError', (error: Error, socket: Socket) => {
    const asked = askedOn(socket);
    // What comes behind it cannot be read either.
    if (asked.refuse !== null) return;
    asked.refuse = () => {
      for (const handle of errorHandlers) handle(error, socket);
    };
    const timer = setTimeout(() => socket.destroy(), bounds.takeWithinMs);
    socket.once('close', () => {
      clearTimeout(timer);
    });
    // Node would close the connection of one who has ended its side as soon as the last request is answered.
    socket.removeAllListeners('end');
    if (!socket.writable || isAnswered(asked)) asked.refuse();
  });
  server.httpAllowHalfOpen = true;
  server.setTimeout(bounds.takeWithinMs, (socket) => {
    const asked = connections.get(socket);
    // Who waits for our answer is not idle, and who has not asked yet is given up with requests that do not come in whole.
    if (asked !== undefined && (asked.running === 0 || socket.writableLength > 0)) socket.destroy();
  });
}

/** Whether nothing is to be answered any more but a request of which the end is missing. */
function isAnswered({ running, waiting, last }: Asked): boolean {
  const cutShort = last !== null && !last.req.complete && !last.headersSent;
  return running + waiting.length === (cutShort ? 1 : 0);
}
