import { assertNever } from '#kernel/assert.js';
import type { Decider, Refused } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';

export const contactFields = ['name', 'email', 'metadata'] as const;
export type ContactField = (typeof contactFields)[number];

/** What can be asked of a customer. Every command is a no-op when it would change nothing. */
export type CustomerCommand =
  | { readonly type: 'RegisterCustomer'; readonly customerId: string }
  /** Registers the customer too: a payment may be the first that is known of it. Older versions than the known one say nothing. */
  | ({ readonly type: 'ObserveStripeCustomer'; readonly customerId: string } & StripeCustomerLink)
  | { readonly type: 'ChangeContact'; readonly customerId: string; readonly fields: readonly ContactField[] }
  | { readonly type: 'EraseCustomer'; readonly customerId: string };

/** How a Stripe customer stands to one that it names, or named. */
export type StripeCustomerLink = {
  readonly stripeCustomerId: string;
  /** When it first named this customer, by Stripe's time. */
  readonly since: Instant;
  /** `deleted`: nothing can be bought under it, what was bought stays. `of_another`: it belongs to another customer. */
  readonly relation: 'linked' | 'deleted' | 'of_another';
  /** Counts what is known of the Stripe customer. */
  readonly version: number;
};

/** Names and addresses are not here: they live outside the log, where erasure can reach them. */
export type CustomerEvent =
  | { readonly type: 'CustomerRegistered'; readonly at: Instant; readonly customerId: string }
  /** `primary`: the Stripe customer under which the customer buys from now on; null where there is none to buy under. */
  | ({
      readonly type: 'StripeCustomerLinked' | 'StripeCustomerUnlinked';
      readonly at: Instant;
      readonly customerId: string;
      readonly primary: string | null;
    } & StripeCustomerLink)
  /** Which contact fields changed, never their content. */
  | {
      readonly type: 'CustomerContactChanged';
      readonly at: Instant;
      readonly customerId: string;
      readonly fields: readonly ContactField[];
    }
  | { readonly type: 'CustomerErased'; readonly at: Instant; readonly customerId: string };

export type CustomerState = {
  readonly registered: boolean;
  readonly erased: boolean;
  /** Every Stripe customer that names this one, or did; the first comes first, by Stripe's time. */
  readonly stripeCustomers: readonly StripeCustomerLink[];
};

export type CustomerRefusal = Refused<'customer_not_found' | 'customer_erased'>;

const initial: CustomerState = { registered: false, erased: false, stripeCustomers: [] };

function withLink(links: readonly StripeCustomerLink[], link: StripeCustomerLink): readonly StripeCustomerLink[] {
  const { stripeCustomerId, since, relation, version } = link;
  const others = links.filter((known) => known.stripeCustomerId !== stripeCustomerId);
  return [...others, { stripeCustomerId, since, relation, version }].sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
}

const placeOf = ({ since, stripeCustomerId }: StripeCustomerLink): string => `${since} ${stripeCustomerId}`;

/**
 * The Stripe customers under which a customer buys, the primary one first: that which named the customer first, by Stripe's time.
 * A further one is there for what was bought under it, and never takes over while the primary one is there.
 */
export const stripeCustomersOf = ({ stripeCustomers }: CustomerState): readonly string[] =>
  stripeCustomers.filter(({ relation }) => relation === 'linked').map(({ stripeCustomerId }) => stripeCustomerId);

function evolve(state: CustomerState, event: CustomerEvent): CustomerState {
  switch (event.type) {
    case 'CustomerRegistered':
      return { ...state, registered: true };
    case 'StripeCustomerLinked':
    case 'StripeCustomerUnlinked':
      return { ...state, stripeCustomers: withLink(state.stripeCustomers, event) };
    case 'CustomerContactChanged':
      return state;
    case 'CustomerErased':
      return { ...state, erased: true };
    default:
      return assertNever(event);
  }
}

function decide(
  state: CustomerState,
  command: CustomerCommand,
  at: Instant,
): readonly CustomerEvent[] | CustomerRefusal {
  const { customerId } = command;
  const registration: readonly CustomerEvent[] = state.registered
    ? []
    : [{ type: 'CustomerRegistered', at, customerId }];
  switch (command.type) {
    case 'RegisterCustomer':
      return state.erased ? { rejected: 'customer_erased' } : registration;
    case 'ObserveStripeCustomer': {
      const { stripeCustomerId, since, relation, version } = command;
      const known = state.stripeCustomers.find((link) => link.stripeCustomerId === stripeCustomerId);
      if (known !== undefined && known.version >= version) return [];
      if (known?.relation === relation && known.since === since) return [];
      const link = { stripeCustomerId, since, relation, version };
      const after = { ...state, stripeCustomers: withLink(state.stripeCustomers, link) };
      const type = relation === 'linked' ? 'StripeCustomerLinked' : 'StripeCustomerUnlinked';
      return [...registration, { type, at, customerId, ...link, primary: stripeCustomersOf(after)[0] ?? null }];
    }
    case 'ChangeContact':
      if (state.erased) return { rejected: 'customer_erased' };
      if (command.fields.length === 0) return registration;
      return [...registration, { type: 'CustomerContactChanged', at, customerId, fields: command.fields }];
    case 'EraseCustomer':
      if (!state.registered) return { rejected: 'customer_not_found' };
      return state.erased ? [] : [{ type: 'CustomerErased', at, customerId }];
    default:
      return assertNever(command);
  }
}

export const customerDecider: Decider<CustomerCommand, CustomerEvent, CustomerState, CustomerRefusal> = {
  category: 'customer',
  initial: () => initial,
  decide: (state, command, moment) => decide(state, command, moment.at),
  evolve,
  fork: (state) => state,
  merge: (fork) => fork,
};
