import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.js';
import { answerUnreadable, noteAnswer } from './unreadable.js';

const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const nonsense = 'this is not HTTP\r\n\r\n';
/** A request of which the end can never be read. */
const cutShort = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\nno length\r\n';

describe('bytes that are not HTTP', () => {
  let server: Server;
  /** Requests that the handler has seen and not answered. */
  const held: (() => void)[] = [];

  beforeEach(async () => {
    server = createServer((_, response) => {
      noteAnswer(response);
      held.push(() => response.end('ok'));
    });
    server.on('clientError', answerUnreadable);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  });

  afterEach(async () => {
    held.length = 0;
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });

  /** What comes on a connection until it is closed. */
  const received = (socket: Socket): Promise<string> =>
    new Promise((ended) => {
      let text = '';
      socket.on('data', (chunk) => (text += chunk.toString())).on('close', () => ended(text));
      socket.on('error', () => undefined);
    });
  const open = (): Socket => connect((server.address() as AddressInfo).port, '127.0.0.1');
  const whenHeld = (count: number): Promise<unknown> =>
    eventually(
      () => Promise.resolve(held.length),
      (now) => now === count,
    );

  it('are answered by a problem', async () => {
    const socket = open();
    socket.write(nonsense);
    expect(await received(socket)).toMatch(/^HTTP\/1\.1 400 [^]*application\/problem\+json[^]*"invalid_request"/);
  });

  it('are so behind an answer, and behind a request that cannot be read to its end', async () => {
    const socket = open();
    const text = received(socket);
    socket.write(request);
    await whenHeld(1);
    held[0]?.();
    await eventually(
      () => Promise.resolve(socket.bytesRead),
      (bytes) => bytes > 0,
    );
    socket.write(nonsense);
    expect(await text).toMatch(/^HTTP\/1\.1 200 [^]*ok[^]*HTTP\/1\.1 400 /);
    const cut = open();
    cut.write(cutShort);
    expect(await received(cut)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('are not answered where that would be taken for the answer to a request before', async () => {
    const socket = open();
    const text = received(socket);
    socket.write(request + nonsense);
    await whenHeld(1);
    expect(await text).toBe('');
    const pipelined = open();
    const nothing = received(pipelined);
    pipelined.write(request + cutShort);
    expect(await nothing).toBe('');
  });
});
