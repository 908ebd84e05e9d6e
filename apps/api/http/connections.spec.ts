import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.js';
import { boundConnections } from './connections.js';

const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const large = 'x'.repeat(1_000_000);
const nonsense = 'this is not HTTP\r\n\r\n';
/** A request of which the end can never be read. */
const cutShort = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\nno length\r\n';

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
    server.on('clientError', (_, socket) => socket.end('unreadable'));
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
  /** What comes on a connection until the server ends it. */
  const heard = (socket: Socket): Promise<string> =>
    new Promise((ended) => {
      let text = '';
      socket.on('data', (chunk) => (text += chunk.toString())).once('close', () => ended(text));
      socket.once('end', () => socket.end());
    });
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

  it.each([
    ['bytes that are no request', request.repeat(20) + nonsense, 20],
    ['a request whose end cannot be read', request.repeat(3) + cutShort, 3],
    ['a request whose end cannot be read and that waits', request.repeat(18) + cutShort, 18],
    ['bytes that are no request, and nothing before', nonsense, 0],
    ['a request whose end cannot be read, and nothing before', cutShort, 0],
  ])('are told of %s behind the answers to what came before', async (_, sent, answers) => {
    body = 'x'.repeat(100_000);
    const socket = await open();
    const text = heard(socket);
    socket.write(sent);
    await eventually(
      () => Promise.resolve(seen),
      (now) => now >= Math.min(answers, 16),
    );
    socket.write(nonsense.repeat(1_000));
    // What is never whole stays without an answer of its own.
    const whole = held.splice(0, answers);
    for (const answer of whole.reverse()) answer();
    await eventually(
      () => Promise.resolve(seen),
      (now) => now >= answers,
    );
    for (const answer of held.splice(0, answers - whole.length)) answer();
    const parts = (await text).split('HTTP/1.1 200');
    expect(parts.length - 1).toBe(answers);
    expect(parts.at(-1)!.endsWith(answers === 0 ? 'unreadable' : `${body}unreadable`)).toBe(true);
  });

  it('are told so too when they have ended their own side', async () => {
    const socket = await open();
    const text = heard(socket);
    socket.end(request + nonsense);
    await whenSeen(1);
    await new Promise((next) => setTimeout(next, 20));
    await answerAll();
    expect(await text).toMatch(/okunreadable$/);
  });

  it('that cannot be read on are cut when the answers to what came before take too long', async () => {
    const socket = await open();
    const text = heard(socket);
    socket.write(request + nonsense);
    await whenSeen(1);
    expect(await text).toBe('');
  });
});
