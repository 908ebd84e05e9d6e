import type { FastifyRequest } from 'fastify';
import type { Scope } from '#records/scopes.js';

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

/** What a route asks of its caller: one of the scopes. `people`: customers' own people may use it for their own customer. */
export type Demand = { readonly scopes: readonly Scope[] | 'none'; readonly people: boolean };

/** What the server must know of a route. */
export type RouteDemands = {
  /** Null: no login, and no place among those for work; whoever runs the process must get an answer when it has none left. */
  readonly demand: Demand | null;
  /** The handler gets the body as bytes, whatever its type. */
  readonly rawBody: boolean;
  /** Bytes; the server's own limit when absent. */
  readonly maxBody?: number;
  /** Whether it can decide without recording, for the header Scrip-Dry-Run. */
  readonly dryRun?: boolean;
};

/**
 * `demands`: those of the route that was found; null where none was looked for. `leave` gives back the places that the request has among
 * those for work; null while it has none.
 */
export type ApiRequest = FastifyRequest & {
  demands: Partial<RouteDemands> | null;
  caller: Caller | null;
  leave: (() => void) | null;
};

/** Everything is allowed to `admin`. */
export const hasScope = (caller: Caller, scope: Scope): boolean =>
  caller.scopes.has(scope) || caller.scopes.has('admin');
