import { assertNever } from '#kernel/assert.js';
import type { Decider, Refused } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';

/** Why a Stripe event waits for a person; `subject` is what was not known (a customer's or price's Stripe id). */
export type ParkReason = {
  readonly code:
    'unknown_customer' | 'unknown_price' | 'unknown_shape' | 'account_refused' | 'wrong_mode' | 'unsupported_currency';
  readonly subject: string | null;
  readonly detail: string;
};

/** A webhook as it is kept: `payload` is Stripe's event without personal data. */
export type ReceivedStripeEvent = {
  readonly stripeEventId: string;
  readonly stripeType: string;
  readonly created: Instant;
  readonly livemode: boolean;
  readonly apiVersion: string | null;
  readonly payload: Json;
};

export type StripeEventCommand =
  | ({ readonly type: 'ReceiveStripeEvent' } & ReceivedStripeEvent)
  /** `effects` names what was recorded, one `{command} {stream}` each; empty when the event means nothing to the ledger. */
  | { readonly type: 'RecordTranslation'; readonly effects: readonly string[] }
  | { readonly type: 'ParkStripeEvent'; readonly reason: ParkReason }
  | { readonly type: 'RequestRetry' };

export type StripeEventEvent =
  /** The webhook's payload, stripped to what the translation needs; personal data is left out before it is stored. */
  | ({ readonly type: 'StripeEventReceived'; readonly at: Instant } & ReceivedStripeEvent)
  | {
      readonly type: 'StripeEventTranslated';
      readonly at: Instant;
      readonly stripeEventId: string;
      readonly effects: readonly string[];
    }
  | {
      readonly type: 'StripeEventParked';
      readonly at: Instant;
      readonly stripeEventId: string;
      readonly stripeType: string;
      readonly reason: ParkReason;
    }
  | { readonly type: 'StripeEventRetryRequested'; readonly at: Instant; readonly stripeEventId: string };

export type StripeEventState = {
  readonly status: 'unknown' | 'waiting' | 'translated' | 'parked';
  readonly received: ReceivedStripeEvent | null;
  /** Why it is parked; null unless it is. */
  readonly reason: ParkReason | null;
};

export type StripeEventRefusal = Refused<'stripe_event_not_found'>;

const initial: StripeEventState = { status: 'unknown', received: null, reason: null };

function evolve(state: StripeEventState, event: StripeEventEvent): StripeEventState {
  switch (event.type) {
    case 'StripeEventReceived':
      return { status: 'waiting', received: event, reason: null };
    case 'StripeEventTranslated':
      return { ...state, status: 'translated', reason: null };
    case 'StripeEventParked':
      return { ...state, status: 'parked', reason: event.reason };
    case 'StripeEventRetryRequested':
      return { ...state, status: 'waiting', reason: null };
    default:
      return assertNever(event);
  }
}

const sameReason = (a: ParkReason | null, b: ParkReason): boolean =>
  a !== null && a.code === b.code && a.subject === b.subject && a.detail === b.detail;

function decide(
  state: StripeEventState,
  command: StripeEventCommand,
  at: Instant,
): readonly StripeEventEvent[] | StripeEventRefusal {
  if (command.type === 'ReceiveStripeEvent') {
    if (state.received !== null) return [];
    const { stripeEventId, stripeType, created, livemode, apiVersion, payload } = command;
    return [{ type: 'StripeEventReceived', at, stripeEventId, stripeType, created, livemode, apiVersion, payload }];
  }
  if (state.received === null) return { rejected: 'stripe_event_not_found' };
  const { stripeEventId, stripeType } = state.received;
  switch (command.type) {
    case 'RecordTranslation':
      if (state.status === 'translated') return [];
      return [{ type: 'StripeEventTranslated', at, stripeEventId, effects: command.effects }];
    case 'ParkStripeEvent':
      if (state.status === 'translated' || sameReason(state.reason, command.reason)) return [];
      return [{ type: 'StripeEventParked', at, stripeEventId, stripeType, reason: command.reason }];
    case 'RequestRetry':
      return state.status === 'parked' ? [{ type: 'StripeEventRetryRequested', at, stripeEventId }] : [];
    default:
      return assertNever(command);
  }
}

export const stripeEventDecider: Decider<StripeEventCommand, StripeEventEvent, StripeEventState, StripeEventRefusal> = {
  category: 'stripeEvent',
  initial: () => initial,
  decide: (state, command, moment) => decide(state, command, moment.at),
  evolve,
  fork: (state) => state,
  merge: (fork) => fork,
};
