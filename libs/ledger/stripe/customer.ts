import { assertNever } from '#kernel/assert.js';
import type { Decider } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';
import type { CustomerCommand } from '../customer.js';
import { kept, meaningOf, namesIn, ownershipOf, type OwnerSince, type OwnerStatement } from './customer-owner.js';

export type StripeCustomerCommand =
  | { readonly type: 'NameStripeCustomer'; readonly stripeCustomerId: string; readonly statement: OwnerStatement }
  /** It was deleted at Stripe, or Stripe does not have it: nothing can be bought under it any more. */
  | { readonly type: 'RecordStripeCustomerDeleted'; readonly stripeCustomerId: string };

export type StripeCustomerEvent =
  /** `owners`: whose it is, and was, by all statements so far. */
  | {
      readonly type: 'StripeCustomerNamed';
      readonly at: Instant;
      readonly stripeCustomerId: string;
      readonly statement: OwnerStatement;
      readonly owners: readonly OwnerSince[];
    }
  /** What was bought before may still be refunded, so it stays whose it is. */
  | { readonly type: 'StripeCustomerDeleted'; readonly at: Instant; readonly stripeCustomerId: string };

export type StripeCustomerState = {
  readonly statements: readonly OwnerStatement[];
  readonly deleted: boolean;
  /** How many events led to it. */
  readonly version: number;
};

const initial: StripeCustomerState = { statements: [], deleted: false, version: 0 };

/** The stream of a Stripe customer. */
export const stripeCustomerStream = (stripeCustomerId: string): string => `stripeCustomer-${stripeCustomerId}`;

function evolve(state: StripeCustomerState, event: StripeCustomerEvent): StripeCustomerState {
  const version = state.version + 1;
  switch (event.type) {
    case 'StripeCustomerNamed':
      return { ...state, statements: kept([...state.statements, event.statement]), version };
    case 'StripeCustomerDeleted':
      return { ...state, deleted: true, version };
    default:
      return assertNever(event);
  }
}

/**
 * What the Stripe customer itself says is kept even where it changes nothing yet: it may be right after all that is heard of later.
 * Not what says that the name was the same before: then what made it so is reported by another.
 */
const mustBeKept = ({ statements }: StripeCustomerState, { source, before, at, customerId }: OwnerStatement): boolean =>
  source === 'customer' &&
  before !== customerId &&
  !statements.some(
    (known) => known.source === source && known.before === before && known.at === at && known.customerId === customerId,
  );

const isSame = (a: OwnerStatement, b: OwnerStatement): boolean =>
  a.source === b.source &&
  a.customerId === b.customerId &&
  a.at === b.at &&
  a.before === b.before &&
  a.stripeEventId === b.stripeEventId;

function decide(
  state: StripeCustomerState,
  command: StripeCustomerCommand,
  at: Instant,
): readonly StripeCustomerEvent[] {
  const { stripeCustomerId } = command;
  switch (command.type) {
    case 'NameStripeCustomer': {
      const { statement } = command;
      if (state.statements.some((known) => isSame(known, statement))) return [];
      const statements = kept([...state.statements, statement]);
      if (!statements.includes(statement)) return [];
      if (meaningOf(statements) === meaningOf(state.statements) && !mustBeKept(state, statement)) return [];
      const { owners } = ownershipOf(statements);
      return [{ type: 'StripeCustomerNamed', at, stripeCustomerId, statement, owners }];
    }
    case 'RecordStripeCustomerDeleted':
      return state.deleted ? [] : [{ type: 'StripeCustomerDeleted', at, stripeCustomerId }];
    default:
      return assertNever(command);
  }
}

/** Whose a Stripe customer is: every statement about it in one stream, so that one rule decides between them. */
export const stripeCustomerDecider: Decider<StripeCustomerCommand, StripeCustomerEvent, StripeCustomerState, never> = {
  category: 'stripeCustomer',
  initial: () => initial,
  decide: (state, command, moment) => decide(state, command, moment.at),
  evolve,
  fork: (state) => state,
  merge: (fork) => fork,
};

/** What everybody who was ever named has to know of it. May be said again: the newest version counts. */
export function newsOf(stripeCustomerId: string, state: StripeCustomerState): readonly CustomerCommand[] {
  const { owners } = ownershipOf(state.statements);
  const owner = owners.at(-1)?.customerId ?? null;
  return [...namesIn(state.statements)].map(([customerId, since]) => ({
    type: 'ObserveStripeCustomer',
    customerId,
    stripeCustomerId,
    since,
    relation: customerId !== owner ? 'of_another' : state.deleted ? 'deleted' : 'linked',
    version: state.version,
  }));
}
