import type { FastifyRequest } from 'fastify';
import type { Scope } from '#read-store/api-key-scopes.js';
import type { LoadLimit } from './load-limit.js';

/** Who sends a request. */
export type Caller = {
  /** As it is kept with every event: `key:{id}` or `user:{subject}`. */
  readonly actor: string;
  readonly scopes: ReadonlySet<Scope>;
  /** The one customer that a person may read; null for services and operators. */
  readonly ownCustomerId: string | null;
};

/** Tells who sends a request. */
export type Authenticates = {
  /** The caller behind an Authorization header; null when it is missing or proves nobody. */
  callerOf(authorization: string | undefined): Caller | null | Promise<Caller | null>;
};

/** What a route asks of its caller. `people`: customers' own people may use it for their own customer. */
export type Demand = { readonly scope: Scope | 'none'; readonly people: boolean };

/**
 * `place`: whether it takes one of those that the process has for work, which `load` counts. `route`: what the server knows of the
 * route that was found, of which `url` is the pattern.
 */
export type ApiRequest = FastifyRequest & {
  caller: Caller | null;
  place: boolean;
  load: LoadLimit | null;
  route: { readonly url?: string } | null;
};

/** Everything is allowed to `admin`. */
export const hasScope = (caller: Caller, scope: Scope): boolean =>
  caller.scopes.has(scope) || caller.scopes.has('admin');
