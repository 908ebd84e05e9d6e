import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.js';
import { boundConnections } from './connections.js';

const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const large = 'x'.repeat(1_000_000);

describe('connections', () => {
  let server: Server;
  const sockets: Socket[] = [];
  /** Requests that the handler has seen and not answered. */
  const held: (() => void)[] = [];
  let seen: number;
  let body: string;

  beforeEach(async () => {
    seen = 0;
    body = 'ok';
    server = createServer((_, response) => {
      seen += 1;
      held.push(() => response.end(body));
    });
    boundConnections(server, { waiting: 100, takeWithinMs: 300 });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    held.length = 0;
    await new Promise((closed) => server.close(closed));
  });

  const open = (): Promise<Socket> =>
    new Promise((connected) => {
      const { port } = server.address() as AddressInfo;
      const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => connected(socket));
      sockets.push(socket.on('error', () => undefined));
    });
  const closed = (socket: Socket): Promise<unknown> =>
    new Promise((done) => socket.resume().once('end', done).once('close', done));
  const whenSeen = (count: number): Promise<unknown> =>
    eventually(
      () => Promise.resolve(seen),
      (now) => now === count,
    );
  const answerAll = async (): Promise<void> => {
    while (held.length > 0) {
      for (const answer of held.splice(0)) answer();
      await new Promise((next) => setTimeout(next, 20));
    }
  };

  it('are worked on sixteen requests at a time, in order, and answered all', async () => {
    const socket = await open();
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.write(request.repeat(60));
    await whenSeen(16);
    await answerAll();
    await eventually(
      () => Promise.resolve(text.split('HTTP/1.1 200').length - 1),
      (count) => count === 60,
    );
    expect(seen).toBe(60);
  });

  it('that ask beyond what may wait are cut, and what they had waiting is forgotten', async () => {
    const [greedy, other] = [await open(), await open()];
    const cut = closed(greedy);
    greedy.write(request.repeat(16 + 101));
    await cut;
    expect(seen).toBe(16);
    held.length = 0;
    seen = 0;
    other.write(request.repeat(16 + 100));
    await whenSeen(16);
    await answerAll();
    expect(seen).toBe(116);
  });

  it('that leave an answer lying are cut; those that wait for one are not', async () => {
    const [deaf, patient] = [await open(), await open()];
    body = large.repeat(20);
    deaf.pause();
    deaf.write(request);
    await whenSeen(1);
    await answerAll();
    patient.write(request);
    await whenSeen(2);
    const gone = eventually(
      () => new Promise<number>((count) => server.getConnections((_, open) => count(open))),
      (open) => open === 1,
    );
    await gone;
    body = 'late but there';
    const answer = new Promise<string>((got) => patient.once('data', (chunk) => got(chunk.toString())));
    await answerAll();
    expect(await answer).toContain('late but there');
  });

  it('that end their own side after the request get the answer, and are closed then', async () => {
    const half = await open();
    let text = '';
    half.on('data', (chunk) => (text += chunk.toString()));
    half.end(request);
    await whenSeen(1);
    const ended = closed(half);
    await answerAll();
    await ended;
    expect(text).toContain('ok');
  });
});
