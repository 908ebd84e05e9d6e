import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { problemAnswer, type Answer } from './answer.js';

/** Requests of each connection that are not answered yet. */
const underWay = new WeakMap<Socket, Set<IncomingMessage>>();

/** Notes which requests a connection waits for, for `answerUnreadable`. */
export function noteRequests(server: Server): void {
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    const requests = underWay.get(socket) ?? new Set();
    underWay.set(socket, requests.add(request));
    response.on('close', () => requests.delete(request));
  });
}

/**
 * Answers bytes that are not HTTP, or no whole request in time: there is no request yet, so the problem is written to the socket. Where
 * a request that came whole waits for its answer, this would be taken for that one: the connection ends without a word.
 */
export function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  const waits = [...(underWay.get(socket) ?? [])].some(({ complete }) => complete);
  if (error.code === 'ECONNRESET' || !socket.writable || waits) {
    socket.destroy();
    return;
  }
  const answer = unreadableAnswer(error.code);
  const body = JSON.stringify(answer.body);
  socket.end(
    `HTTP/1.1 ${String(answer.status)} ${STATUS_CODES[answer.status] ?? ''}\r\nContent-Type: application/problem+json\r\nContent-Length: ${String(Buffer.byteLength(body))}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function unreadableAnswer(code: string | undefined): Answer {
  if (code === 'HPE_HEADER_OVERFLOW') return problemAnswer('headers_too_large', 'unread');
  // Not the caller's mistake for good, as a 400 would say: sent again, it may be served.
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return problemAnswer('request_timeout', 'unread');
  return problemAnswer('invalid_request', 'unread', { errors: [{ field: '', message: 'the request cannot be read' }] });
}
