import type { FastifyError, FastifyInstance, HookHandlerDoneFunction } from 'fastify';
import type { ApiRequest, Authenticates, Caller, RouteDemands } from '../caller.js';
import { dryRunHeader } from '../dry-run.js';
import { LoadLimit } from './load-limit.js';
import { Problem } from '../problem.js';
import type { RateLimit } from './rate-limit.js';

export type Gatekeepers = {
  readonly authenticator: Authenticates;
  readonly load: LoadLimit;
  readonly rates: RateLimit | null;
};

/** A body that is larger than this, or of unknown length, counts among the large ones of a route that takes bytes from anybody. */
const LARGE_BYTES = 16_384;
/** So many of them are taken at a time: at 5 MiB each, 320 MiB. */
const LARGE_AT_A_TIME = 64;

/**
 * Decides, before a body is read, whether there is room for a request and who sends it. What the caller may do is the guard's question.
 * These are hooks of Fastify because Nest's guards run when the body has been read, and an overloaded process must not read it.
 */
export function admitRequests(server: FastifyInstance, gatekeepers: Gatekeepers): void {
  const { load } = gatekeepers;
  const large = new LoadLimit(LARGE_AT_A_TIME);
  server.decorateRequest('caller', null);
  server.decorateRequest('leave', null);
  server.decorateRequest('demands', null);
  server.addHook('onRequest', (given, reply, done) => {
    const request = given as ApiRequest;
    // The getter makes a new object each time: it is asked once.
    const demands = request.routeOptions.config as Partial<RouteDemands>;
    request.demands = demands;
    const refusal = unanswerable(request, demands);
    if (refusal !== null) refuse(done, refusal);
    else if (demands.demand == null) done();
    else {
      const leave = enter(request, demands, load, large);
      if (leave === null) return refuse(done, new Problem('overloaded'));
      request.leave = leave;
      reply.raw.on('close', leave);
      if (demands.demand.scopes === 'none') done();
      else identify(request, gatekeepers, done);
    }
  });
}

const refuse = (done: HookHandlerDoneFunction, problem: Problem): void => {
  done(problem as unknown as FastifyError);
};

/** Takes the places that a request needs; gives back what frees them, once. Null when there are none. */
function enter(
  { headers }: ApiRequest,
  { rawBody }: Partial<RouteDemands>,
  load: LoadLimit,
  large: LoadLimit,
): (() => void) | null {
  if (!load.enter()) return null;
  const isLarge = rawBody === true && !(Number(headers['content-length']) <= LARGE_BYTES);
  if (isLarge && !large.enter()) {
    load.leave(1);
    return null;
  }
  let present = true;
  return () => {
    if (!present) return;
    present = false;
    load.leave(1);
    if (isLarge) large.leave(1);
  };
}

/** Why no route could answer the request; null when one can. */
function unanswerable({ headers, raw, method }: ApiRequest, { dryRun }: Partial<RouteDemands>): Problem | null {
  const { host, expect } = headers;
  if (host === undefined && raw.httpVersion !== '1.0') return invalid('Host', 'must be sent');
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') return new Problem('expectation_failed');
  const asked = headers[dryRunHeader] ?? 'false';
  if (asked !== 'true' && asked !== 'false') return invalid('Scrip-Dry-Run', 'must be true or false; nothing was done');
  // A caller trusts that nothing is recorded.
  if (asked === 'true' && method !== 'GET' && dryRun !== true)
    return invalid('Scrip-Dry-Run', 'is not offered by this operation; nothing was done');
  return null;
}

const invalid = (field: string, message: string): Problem =>
  new Problem('invalid_request', { errors: [{ field, message }] });

function identify(request: ApiRequest, { authenticator, rates }: Gatekeepers, done: HookHandlerDoneFunction): void {
  const accept = (caller: Caller | null): void => {
    if (caller === null) refuse(done, new Problem('unauthenticated'));
    else if (rates !== null && !rates.allows(caller.actor)) refuse(done, new Problem('rate_limited'));
    else {
      request.caller = caller;
      done();
    }
  };
  const caller = authenticator.callerOf(request.headers.authorization);
  if (caller instanceof Promise) caller.then(accept, done);
  else accept(caller);
}
