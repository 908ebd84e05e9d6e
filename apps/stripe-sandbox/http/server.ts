import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Config } from '../config.js';
import { ApiError } from '../core/api/errors.js';
import { parseForm } from '../core/api/params.js';
import type { Request } from '../core/sandbox.js';
import type { RequestFault } from '../core/world.js';
import { servePage } from '../pages/pages.js';
import { control } from './control.js';
import { Body } from './json-body.js';
import { Runtime } from './runtime.js';

const maxBody = 1024 * 1024;

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxBody)
      throw new ApiError(413, { type: 'invalid_request_error', message: 'The request body is too large.' });
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function apiKeyOf(request: IncomingMessage): string | null {
  const [scheme, value] = (request.headers.authorization ?? '').split(' ');
  if (value === undefined) return null;
  if (scheme?.toLowerCase() === 'basic') return Buffer.from(value, 'base64').toString('utf8').split(':')[0] ?? null;
  return value;
}

const header = (request: IncomingMessage, name: string): string | null => {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : null;
};

function sendJson(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(body);
}

const errorBody = (error: ApiError): string => JSON.stringify({ error: error.body });

/** Takes one use of a fault that was asked for this address. */
function takeFault(runtime: Runtime, path: string): RequestFault | null {
  const { world } = runtime.sandbox;
  const fault = world.faults.requests.find((one) => one.times > 0 && (one.path === null || path.startsWith(one.path)));
  if (fault === undefined) return null;
  const requests = world.faults.requests
    .map((one) => (one === fault ? { ...one, times: one.times - 1 } : one))
    .filter((one) => one.times > 0);
  world.faults = { ...world.faults, requests };
  return fault;
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

function refuseByFault(response: ServerResponse, fault: RequestFault): boolean {
  if (fault.fault === 'rate_limit') {
    const body = {
      error: { type: 'invalid_request_error', code: 'rate_limit', message: 'Request rate limit exceeded.' },
    };
    sendJson(response, 429, JSON.stringify(body), { 'stripe-rate-limited-reason': 'global-rate' });
    return true;
  }
  if (fault.fault === 'server_error') {
    sendJson(response, 500, JSON.stringify({ error: { type: 'api_error', message: 'An unknown error occurred.' } }));
    return true;
  }
  return false;
}

/** The first version of the API takes forms only. */
function refuseJson(request: IncomingMessage, body: string): void {
  if (body === '' || !/^application\/json\b/i.test(request.headers['content-type'] ?? '')) return;
  throw new ApiError(400, {
    type: 'invalid_request_error',
    message: 'Invalid request (check that your POST content type is application/x-www-form-urlencoded).',
  });
}

async function serveApi(runtime: Runtime, request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const body = await readBody(request);
  refuseJson(request, body);
  const params = parseForm([url.search.slice(1), body].filter((part) => part !== '').join('&'));
  const given: Request = {
    method: request.method ?? 'GET',
    path: url.pathname,
    params,
    apiKey: apiKeyOf(request),
    idempotencyKey: header(request, 'idempotency-key'),
    version: header(request, 'stripe-version'),
    account: header(request, 'stripe-account') ?? header(request, 'stripe-context'),
  };
  const key = given.method === 'POST' ? given.idempotencyKey : null;
  if (key !== null && !runtime.sandbox.reserve(key)) {
    throw new ApiError(409, {
      type: 'idempotency_error',
      code: 'idempotency_key_in_use',
      message: `There is currently another in-progress request using this Idempotent Key: ${key}. Please try again later.`,
    });
  }
  try {
    const fault = takeFault(runtime, url.pathname);
    if (fault !== null && refuseByFault(response, fault)) return;
    if (fault?.fault === 'slow') await pause(fault.milliseconds);
    runtime.tick();
    const answer = runtime.sandbox.handle(given);
    if (given.method !== 'GET') await runtime.kept();
    if (fault?.fault === 'lose_answer') response.destroy();
    else sendJson(response, answer.status, answer.body, answer.headers);
  } finally {
    if (key !== null) runtime.sandbox.release(key);
    runtime.changed();
  }
}

/** Pages of other sites must not work the sandbox through a reader's browser. */
function refuseOtherSites(request: IncomingMessage): void {
  if (request.method === 'GET' || request.headers['sec-fetch-site'] !== 'cross-site') return;
  throw new ApiError(403, { type: 'invalid_request_error', message: 'Open this page of the sandbox itself first.' });
}

async function serve(runtime: Runtime, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://sandbox');
  if (url.pathname.startsWith('/v1/') || url.pathname.startsWith('/v2/')) {
    await serveApi(runtime, request, response, url);
    return;
  }
  refuseOtherSites(request);
  if (url.pathname.startsWith('/_sandbox/')) {
    const body = Body.parse(await readBody(request));
    runtime.tick();
    const answer = await control(runtime, request.method ?? 'GET', url.pathname.slice('/_sandbox'.length), body);
    if (request.method !== 'GET') await runtime.kept();
    sendJson(response, 200, JSON.stringify(answer, null, 2));
    return;
  }
  const form = new URLSearchParams(request.method === 'POST' ? await readBody(request) : '');
  runtime.tick();
  const page = await servePage(runtime, {
    method: request.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    form,
  });
  runtime.changed();
  if (request.method === 'POST') await runtime.kept();
  response.writeHead(page.status, page.headers);
  response.end(page.body);
}

export type RunningSandbox = { readonly url: string; readonly runtime: Runtime; close(): Promise<void> };

/** Starts the sandbox; resolves when it takes requests. */
export async function startSandbox(config: Config): Promise<RunningSandbox> {
  const server: Server = createServer();
  // Kept-alive connections are the client's to close: a server that closes an idle one may do so just when the next request leaves,
  // and the client, the `stripe` package without retries among them, sees a reset.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const url = config.publicUrl ?? `http://${config.host}:${port}`;
  const runtime = await Runtime.open(config, url).catch((error: unknown) => {
    server.close();
    throw error;
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    serve(runtime, request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else if (error instanceof ApiError) sendJson(response, error.status, errorBody(error));
      else {
        process.stderr.write(
          `${JSON.stringify({ level: 'error', msg: 'request failed', error: error instanceof Error ? error.stack : 'unknown' })}\n`,
        );
        sendJson(
          response,
          500,
          JSON.stringify({ error: { type: 'api_error', message: 'The sandbox failed; its log says why.' } }),
        );
      }
    });
  });
  return {
    url,
    runtime,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await Promise.all([closed, runtime.close()]);
    },
  };
}
