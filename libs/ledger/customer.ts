import { assertNever } from '#kernel/assert.js';
import type { Decider, Refused } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';

export const contactFields = ['name', 'email', 'metadata'] as const;
export type ContactField = (typeof contactFields)[number];

/** What can be asked of a customer. Every command is a no-op when it would change nothing. */
export type CustomerCommand =
  | { readonly type: 'RegisterCustomer'; readonly customerId: string }
  /** Registers the customer too: a payment may be the first that is heard of it. */
  | { readonly type: 'LinkStripeCustomer'; readonly customerId: string; readonly stripeCustomerId: string }
  | { readonly type: 'ChangeContact'; readonly customerId: string; readonly fields: readonly ContactField[] }
  | { readonly type: 'EraseCustomer'; readonly customerId: string };

/** Names and addresses are not here: they live outside the log, where erasure can reach them. */
export type CustomerEvent =
  | { readonly type: 'CustomerRegistered'; readonly at: Instant; readonly customerId: string }
  | {
      readonly type: 'StripeCustomerLinked';
      readonly at: Instant;
      readonly customerId: string;
      readonly stripeCustomerId: string;
    }
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
  /** Every Stripe customer that was ever linked, the newest last. All of them still lead here. */
  readonly stripeCustomerIds: readonly string[];
};

export type CustomerRefusal = Refused<'customer_not_found' | 'customer_erased'>;

const initial: CustomerState = { registered: false, erased: false, stripeCustomerIds: [] };

function evolve(state: CustomerState, event: CustomerEvent): CustomerState {
  switch (event.type) {
    case 'CustomerRegistered':
      return { ...state, registered: true };
    case 'StripeCustomerLinked':
      return {
        ...state,
        stripeCustomerIds: [
          ...state.stripeCustomerIds.filter((id) => id !== event.stripeCustomerId),
          event.stripeCustomerId,
        ],
      };
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
    case 'LinkStripeCustomer': {
      const { stripeCustomerId } = command;
      if (state.stripeCustomerIds.includes(stripeCustomerId)) return [];
      return [...registration, { type: 'StripeCustomerLinked', at, customerId, stripeCustomerId }];
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
