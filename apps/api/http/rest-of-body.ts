import type { IncomingMessage } from 'node:http';

const MOST_BYTES = 67_108_864;
const LONGEST_MS = 5_000;

/**
 * Calls `then` when the rest of a body that nobody wants has come, or 64 MiB or five seconds of it. Closing the connection before
 * would take the answer away from a client that is still sending.
 */
export function afterRestOfBody(request: IncomingMessage, then: () => void): void {
  if (request.complete || request.destroyed) {
    then();
    return;
  }
  let bytes = 0;
  const stop = (): void => {
    clearTimeout(timer);
    request.off('data', count).off('end', stop).off('close', stop);
    then();
  };
  const count = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) stop();
  };
  const timer = setTimeout(stop, LONGEST_MS);
  request.on('data', count).on('end', stop).on('close', stop).resume();
}
