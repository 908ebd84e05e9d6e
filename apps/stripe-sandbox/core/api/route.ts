import type Stripe from 'stripe';
import { createdFilter, page } from './lists.js';
import { nouns, type Kind, type Tables } from '../model.js';
import type { Params } from './params.js';
import type { Tx } from '../tx.js';
import type { World } from '../world.js';

export type Call = {
  readonly tx: Tx;
  readonly params: Params;
  /** The ids in the address, in order. */
  readonly ids: readonly string[];
  readonly id: string;
  readonly path: string;
  readonly world: World;
};

export type Route = {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `/v1/customers/:id`. */
  readonly path: string;
  readonly run: (call: Call) => unknown;
  /** The first version that has this address no longer. */
  readonly until?: string;
  /** Only tries: its changes are dropped when it has answered. */
  readonly dry?: true;
};

/** A list address: reads `created` and the page parameters, and keeps what `keep` (made from the other parameters) accepts. */
export function listing<K extends Kind>(
  kind: K,
  path: string,
  filter: (params: Params, call: Call) => (thing: Tables[K]) => boolean = () => () => true,
): Route {
  return {
    method: 'GET',
    path,
    run: (call): Stripe.ApiList<Tables[K]> => {
      const keep = filter(call.params, call);
      const inTime = createdFilter(call.params);
      const owner = call.params.has('customer') ? call.params.text('customer') : undefined;
      const source =
        owner !== undefined && ownedByCustomer.has(kind) ? call.tx.ownedBy(kind, owner) : call.tx.all(kind);
      const things = [...source]
        .filter((thing) => (!('created' in thing) || inTime(thing.created)) && keep(thing) && !isDeleted(thing))
        .reverse();
      const positions = (): ReadonlyMap<string, number> =>
        new Map([...call.tx.all(kind)].map((thing, index) => [idOf(thing), index]));
      let known: ReadonlyMap<string, number> | null = null;
      return page(call.params, call.path, things, idOf, {
        noun: nouns[kind] ?? kind,
        place: (id) => (known ??= positions()).get(id) ?? null,
      });
    },
  };
}

const idOf = (thing: object): string => ('id' in thing ? String(thing.id) : '');

const ownedByCustomer: ReadonlySet<Kind> = new Set<Kind>(['payment_method', 'invoiceitem', 'invoice', 'subscription']);

const isDeleted = (thing: object): boolean =>
  'sandbox' in thing &&
  typeof thing.sandbox === 'object' &&
  thing.sandbox !== null &&
  'deleted' in thing.sandbox &&
  thing.sandbox.deleted === true;

/** `GET path/:id`. */
export const retrieving = <K extends Kind>(kind: K, path: string): Route => ({
  method: 'GET',
  path: `${path}/:id`,
  run: ({ tx, id }) => tx.need(kind, id),
});

/** A condition that holds for everything when the parameter is absent. */
export function matching<T>(wanted: T | undefined, actual: (value: T) => boolean): boolean {
  return wanted === undefined || actual(wanted);
}
