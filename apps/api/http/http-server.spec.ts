import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { createLogger } from '#config/logger.js';
import { createAdapter, guardRoutes } from './http-server.js';
import { LoadLimit } from './load-limit.js';
import { ProblemAnswers } from './problem-answers.js';
import { sendJson } from './send.js';

const origin = 'https://app.example';
const headOf = (line: string, more = ''): string => `${line} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
const post = (type: string, body: string): string =>
  headOf('POST /things', `Content-Type: ${type}\r\nContent-Length: ${String(body.length)}\r\n`) + body;
const preflight = headOf('OPTIONS /things', `Origin: ${origin}\r\nAccess-Control-Request-Method: POST\r\n`);
const last = headOf('GET /things', 'Connection: close\r\n');

describe('the HTTP server', () => {
  let server: FastifyInstance;
  let load: LoadLimit;
  let counted: string[];

  beforeEach(async () => {
    server = createAdapter('boot').getInstance();
    load = new LoadLimit(10);
    counted = [];
    const { methodsOf } = await guardRoutes(server, {
      authenticator: { callerOf: () => null },
      load,
      rates: null,
      times: { observe: (method, route, status) => counted.push(`${method} ${route} ${String(status)}`) },
      corsOrigins: [origin],
    });
    new ProblemAnswers(createLogger('test', 'silent'), methodsOf).answerFor(server);
    const config = { demand: { scope: 'none', people: true }, rawBody: false, checksQuery: true };
    for (const method of ['GET', 'POST'])
      server.route({ method, url: '/things', config, handler: (_, reply) => sendJson(reply, {}) });
    await server.listen({ host: '127.0.0.1', port: 0 });
  });

  afterEach(async () => {
    await server.close();
  });

  /** Sends it over one connection, and waits until that is closed: the statuses, each with `close` where the answer says so. */
  const exchange = (...pieces: readonly string[]): Promise<readonly string[]> =>
    new Promise((ended) => {
      const socket = connect((server.server.address() as { port: number }).port, '127.0.0.1');
      let text = '';
      socket.on('data', (chunk) => (text += chunk.toString())).on('close', () => ended(answersIn(text)));
      for (const [n, piece] of pieces.entries()) setTimeout(() => socket.write(piece), 30 * n);
    });
  const answersIn = (text: string): string[] =>
    text
      .split('HTTP/1.1 ')
      .slice(1)
      .map((answer) => answer.slice(0, 3) + (/^connection: close\r$/im.test(answer) ? ' close' : ''));

  it('answers what is asked behind a body that it has read and refuses', async () => {
    const broken = post('application/json', '{"a":');
    expect(await exchange(broken + last)).toEqual(['400', '200 close']);
    expect(await exchange(broken.slice(0, -1), broken.slice(-1) + last)).toEqual(['400', '200 close']);
    expect(await exchange(post('application/json', 'x'.repeat(100_000)) + last)).toEqual(['400', '200 close']);
    const wrongType = post('text/plain', 'a=1');
    expect(await exchange(wrongType + last)).toEqual(['415', '200 close']);
    expect(await exchange(wrongType.replace('Host', 'Connection: close\r\nHost'))).toEqual(['415 close']);
  });

  it('closes the connection behind a body that is too large', async () => {
    expect(await exchange(post('application/json', 'x'.repeat(1_100_000)) + last)).toEqual(['413 close']);
  });

  it('counts addresses that cannot be read as it counts those that lead nowhere', async () => {
    const sent = headOf('GET /things/%E0%A4%A/balance') + headOf('GET /nothing');
    expect(await exchange(sent + last)).toEqual(['400', '404', '200 close']);
    expect(counted).toEqual(['GET none 400', 'GET none 404', 'GET /things 200']);
  });

  it.each([
    ['a broken address', headOf('GET /%zz'), '400 close'],
    ['a preflight of CORS', preflight, '204 close'],
    ['a refused body', post('text/plain', 'a=1'), '415 close'],
  ])('closes the connection behind %s while it drains', async (_, sent, answer) => {
    load.drain();
    expect(await exchange(sent)).toEqual([answer]);
  });
});
