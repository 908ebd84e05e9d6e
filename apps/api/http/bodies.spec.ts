import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { fastify, type FastifyInstance } from 'fastify';
import { LargeBodies, parseBodies } from './bodies.js';
import { Problem } from './problems.js';

describe('bodies of requests', () => {
  let server: FastifyInstance;
  let port: number;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    server = fastify({ bodyLimit: 200_000 });
    const large = new LargeBodies(250_000);
    parseBodies(server, large);
    server.addHook('onRequest', (request, reply, done) => {
      reply.raw.once('close', () => large.giveBack(request.raw));
      done();
    });
    server.setErrorHandler((error, _, reply) => {
      void reply.code(400).send({ code: error instanceof Problem ? error.code : String(error) });
    });
    server.post('/', ({ body }, reply) => reply.send({ got: body }));
    server.post('/raw', { config: { rawBody: true } }, ({ body }, reply) =>
      reply.send({ bytes: (body as Buffer).length }),
    );
    ({ port: port } = new URL(await server.listen({ host: '127.0.0.1', port: 0 })) as unknown as { port: number });
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await server.close();
  });

  const post = async (path: string, body: string, type = 'application/json'): Promise<unknown> => {
    const url = `http://127.0.0.1:${String(port)}${path}`;
    return (await fetch(url, { method: 'POST', body, headers: { 'content-type': type } })).json();
  };

  /** Sends a request of which the end is still to come. */
  const begin = (head: string, bytes: number): Promise<Socket> =>
    new Promise((sent) => {
      const socket = connect(port, '127.0.0.1');
      sockets.push(socket.on('error', () => undefined));
      socket.write(`POST /raw HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${head}\r\n\r\n`);
      socket.write('x'.repeat(bytes), () => {
        sent(socket);
      });
    });

  const answerOn = (socket: Socket): Promise<string> =>
    new Promise((answered) => socket.once('data', (chunk) => answered(chunk.toString())));

  it('are read as what they are, in whatever pieces they come', async () => {
    expect(await post('/', '{"a":[1]}')).toEqual({ got: { a: [1] } });
    expect(await post('/', '')).toEqual({});
    expect(await post('/raw', 'x'.repeat(200_000), 'text/plain')).toEqual({ bytes: 200_000 });
    const pieces = await begin('Transfer-Encoding: chunked', 0);
    for (let sent = 0; sent < 5_000; sent += 1) pieces.write('1\r\ny\r\n');
    pieces.write('0\r\n\r\n');
    expect(await answerOn(pieces)).toContain('{"bytes":5000}');
  });

  it('are refused by type, by form and by size', async () => {
    expect(await post('/', 'a=1', 'text/plain')).toEqual({ code: 'unsupported_media_type' });
    expect(await post('/', '{"a":')).toEqual({ code: 'invalid_request' });
    expect(await post('/', 'x'.repeat(200_001))).toEqual({ code: 'payload_too_large' });
    const endless = await begin('Transfer-Encoding: chunked', 0);
    endless.write(`30d41\r\n${'x'.repeat(200_001)}\r\n`);
    expect(await answerOn(endless)).toContain('payload_too_large');
  });

  it('are turned away when too many large ones come in at a time; small ones are taken, and all again when these are gone', async () => {
    const slow = await Promise.all([begin('Content-Length: 150000', 149_000), begin('Content-Length: 150000', 80_000)]);
    // Both stand together within the bound; a third large one does not.
    const third = async () => post('/raw', 'x'.repeat(100_000));
    for (let answer = await third(); !JSON.stringify(answer).includes('overloaded'); answer = await third());
    expect(await post('/', '{"small":true}')).toEqual({ got: { small: true } });
    slow[0].write('x'.repeat(1_000));
    expect(await answerOn(slow[0])).toContain('{"bytes":150000}');
    slow[1].destroy();
    for (let answer = await third(); JSON.stringify(answer).includes('overloaded'); answer = await third());
    expect(await third()).toEqual({ bytes: 100_000 });
  });
});
