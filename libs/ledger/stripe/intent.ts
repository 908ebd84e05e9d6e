import { assertNever } from '#kernel/assert.js';
import type { Decider, Refused } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';

/** What Stripe can be asked to do, for a customer or for the catalogue. */
export type StripeOperationName =
  | 'create_customer'
  | 'update_customer'
  | 'create_checkout_session'
  | 'create_payment_intent'
  | 'create_portal_session'
  | 'cancel_subscription'
  | 'resume_subscription'
  | 'change_subscription'
  | 'create_product'
  | 'update_product'
  | 'create_price'
  | 'archive_price';

/** One thing that is asked of Stripe, however often it takes; `subject` says what, without personal data or addresses. */
export type StripeIntent = {
  readonly intentId: string;
  /** Null for what the catalogue needs. */
  readonly customerId: string | null;
  readonly operation: StripeOperationName;
  readonly subject: { readonly [member: string]: Json };
};

export type StripeIntentCommand =
  | ({ readonly type: 'IntendStripeCall' } & StripeIntent)
  /** A new attempt under a new idempotency key, once the one named is known to have led, or to lead, to nothing. */
  | { readonly type: 'AttemptStripeCallAgain'; readonly after: number }
  | {
      readonly type: 'RecordStripeAnswer';
      readonly attempt: number;
      readonly objectType: string;
      readonly objectId: string;
    }
  /** A look at Stripe found nothing that the attempt has led to, and no call of it is under way any more. */
  | { readonly type: 'RecordStripeLapse'; readonly attempt: number }
  /** `status` is that of Stripe's HTTP answer, `code` Stripe's own word for the reason. */
  | {
      readonly type: 'RecordStripeRefusal';
      readonly attempt: number;
      readonly status: number;
      readonly code: string;
    };

export type StripeIntentEvent =
  /** Recorded before Stripe is called: whatever happens to us then, the same key asks Stripe for the same thing. */
  | ({
      readonly type: 'StripeCallIntended';
      readonly at: Instant;
      readonly attempt: number;
      readonly idempotencyKey: string;
    } & StripeIntent)
  | {
      readonly type: 'StripeCallAnswered';
      readonly at: Instant;
      readonly intentId: string;
      readonly attempt: number;
      readonly objectType: string;
      readonly objectId: string;
    }
  | {
      readonly type: 'StripeCallRefused';
      readonly at: Instant;
      readonly intentId: string;
      readonly attempt: number;
      readonly status: number;
      readonly code: string;
    }
  /** Nobody heard how the call ended, and it has led to nothing. */
  | {
      readonly type: 'StripeCallLapsed';
      readonly at: Instant;
      readonly intentId: string;
      readonly attempt: number;
    };

export type StripeIntentState = {
  readonly status: 'unknown' | 'pending' | 'answered' | 'refused' | 'lapsed';
  readonly intent: StripeIntent | null;
  /** 0 while nothing was intended. */
  readonly attempt: number;
  /** When the newest attempt was intended. */
  readonly intendedAt: Instant | null;
  readonly idempotencyKey: string;
  /** What Stripe answered with; null while it has not. */
  readonly objectId: string | null;
};

export type StripeIntentRefusal = Refused<'stripe_intent_not_found'>;

const initial: StripeIntentState = {
  status: 'unknown',
  intent: null,
  attempt: 0,
  intendedAt: null,
  idempotencyKey: '',
  objectId: null,
};

/** The stream of an intent. */
export const stripeIntentStream = (intentId: string): string => `stripeIntent-${intentId}`;

/** The id of the intent to have a Stripe customer: the first of a customer, or the one after that which is gone. */
export const customerIntentId = (customerId: string, after: string | null): string =>
  after === null ? `customer.${customerId}` : `customer.${customerId}.after.${after}`;

/** The id of the intent to write a customer's name and address at Stripe: one for each version of the contact. */
export const contactIntentId = (stripeCustomerId: string, version: number): string =>
  `contact.${stripeCustomerId}.${String(version)}`;

function evolve(state: StripeIntentState, event: StripeIntentEvent): StripeIntentState {
  switch (event.type) {
    case 'StripeCallIntended': {
      const { intentId, customerId, operation, subject, attempt, idempotencyKey, at } = event;
      const intent = { intentId, customerId, operation, subject };
      return { status: 'pending', intent, attempt, intendedAt: at, idempotencyKey, objectId: null };
    }
    case 'StripeCallAnswered':
      return { ...state, status: 'answered', objectId: event.objectId };
    case 'StripeCallRefused':
      return { ...state, status: 'refused' };
    case 'StripeCallLapsed':
      return { ...state, status: 'lapsed' };
    default:
      return assertNever(event);
  }
}

const intended = (intent: StripeIntent, attempt: number, at: Instant): StripeIntentEvent => ({
  type: 'StripeCallIntended',
  at,
  intentId: intent.intentId,
  customerId: intent.customerId,
  operation: intent.operation,
  subject: intent.subject,
  attempt,
  idempotencyKey: `scrip.${intent.intentId}.${String(attempt)}`,
});

function decide(
  state: StripeIntentState,
  command: StripeIntentCommand,
  at: Instant,
): readonly StripeIntentEvent[] | StripeIntentRefusal {
  if (command.type === 'IntendStripeCall') return state.intent === null ? [intended(command, 1, at)] : [];
  if (state.intent === null) return { rejected: 'stripe_intent_not_found' };
  const { intentId } = state.intent;
  switch (command.type) {
    case 'AttemptStripeCallAgain':
      // Somebody else may have been quicker; then theirs is the attempt.
      return state.attempt === command.after ? [intended(state.intent, state.attempt + 1, at)] : [];
    case 'RecordStripeAnswer': {
      if (state.status === 'answered') return [];
      const { attempt, objectType, objectId } = command;
      return [{ type: 'StripeCallAnswered', at, intentId, attempt, objectType, objectId }];
    }
    case 'RecordStripeLapse': {
      const { attempt } = command;
      if (state.status !== 'pending' || state.attempt !== attempt) return [];
      return [{ type: 'StripeCallLapsed', at, intentId, attempt }];
    }
    case 'RecordStripeRefusal': {
      const { attempt, status, code } = command;
      if (state.status !== 'pending' || state.attempt !== attempt) return [];
      return [{ type: 'StripeCallRefused', at, intentId, attempt, status, code }];
    }
    default:
      return assertNever(command);
  }
}

/**
 * An outbox of one: what Stripe is to be asked is recorded before the call, how it ended after it. A crash in between leaves a
 * pending intent, and the same idempotency key (within Stripe's 24 hours) or a look at Stripe settles it.
 */
export const stripeIntentDecider: Decider<
  StripeIntentCommand,
  StripeIntentEvent,
  StripeIntentState,
  StripeIntentRefusal
> = {
  category: 'stripeIntent',
  initial: () => initial,
  decide: (state, command, moment) => decide(state, command, moment.at),
  evolve,
  fork: (state) => state,
  merge: (fork) => fork,
};
