import { assertNever } from '#kernel/assert.js';
import type { Decider, Refused } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import { categoryOf, type StreamName } from '#kernel/stream-name.js';

/** Why a Stripe event waits for a person; `subject` is what was not known (a customer's or price's Stripe id); `detail` names the object, field and finding for a person. */
export type ParkReason = {
  readonly code:
    | 'unknown_customer'
    | 'unknown_price'
    | 'unknown_shape'
    | 'account_refused'
    | 'wrong_mode'
    | 'connected_account'
    /** It names another customer than the one that its Stripe customer belongs to; `subject` is that Stripe customer. */
    | 'owner_conflict'
    | 'unsupported_currency'
    /** The number of packs that the metadata names costs something else than what was charged; `subject` is the credit product. */
    | 'amount_mismatch'
    /** Money that goes back in another currency than its payment's; which may be heard of after it was translated. */
    | 'currency_mismatch'
    /** Credits may have been granted for the same money already; `subject` is the invoice whose link to its payment settles it. */
    | 'sale_in_doubt'
    /** An invoice or a credit note has more lines than its webhook; the worker fetches them. */
    | 'lines_incomplete'
    /** It could not. */
    | 'lines_refused'
    /** What follows from it is more than the log takes at once. */
    | 'too_large'
    /** A fault of Scrip's own. */
    | 'internal_error';
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
  /** Lines of the event's invoice from the `from`th on, as Stripe listed them later, without personal data. */
  | {
      readonly type: 'RecordInvoiceLines';
      readonly from: number;
      readonly lines: readonly Json[];
      readonly complete: boolean;
    }
  /** Nobody has to look at it: `actor` says so, a person or the rules of the catalogue. A retry undoes it. */
  | { readonly type: 'SetAsideStripeEvent'; readonly actor: string; readonly reason: string }
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
  /**
   * Lines of the event's invoice from the `from`th on, in the place of what was recorded there before; `complete` with the last of
   * them, from when on they stand for the webhook's own.
   */
  | {
      readonly type: 'StripeInvoiceLinesFetched';
      readonly at: Instant;
      readonly stripeEventId: string;
      readonly from: number;
      readonly lines: readonly Json[];
      readonly complete: boolean;
    }
  | {
      readonly type: 'StripeEventSetAside';
      readonly at: Instant;
      readonly stripeEventId: string;
      readonly stripeType: string;
      readonly actor: string;
      readonly reason: string;
    }
  | { readonly type: 'StripeEventRetryRequested'; readonly at: Instant; readonly stripeEventId: string };

export type StripeEventState = {
  readonly status: 'unknown' | 'waiting' | 'translated' | 'parked' | 'set_aside';
  /** With all lines of its invoice, once they were fetched. */
  readonly received: ReceivedStripeEvent | null;
  /** Lines that were fetched; `complete` once they stand in `received`. */
  readonly lines: readonly Json[] | 'complete';
  /** Why it is parked; null unless it is. */
  readonly reason: ParkReason | null;
};

export type StripeEventRefusal = Refused<'stripe_event_not_found'>;

const initial: StripeEventState = { status: 'unknown', received: null, lines: [], reason: null };

type Members = { readonly [key: string]: Json };
const membersOf = (value: Json | undefined): Members =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Members) : {};

/** The event as its webhook would have been, had it held every line. */
function withLines(event: ReceivedStripeEvent, lines: readonly Json[]): ReceivedStripeEvent {
  const payload = membersOf(event.payload);
  const data = membersOf(payload['data']);
  const object = membersOf(data['object']);
  const complete = { ...object, lines: { data: lines, has_more: false } };
  return { ...event, payload: { ...payload, data: { ...data, object: complete } } };
}

function evolve(state: StripeEventState, event: StripeEventEvent): StripeEventState {
  switch (event.type) {
    case 'StripeEventReceived':
      return { status: 'waiting', received: event, lines: [], reason: null };
    case 'StripeEventTranslated':
      return { ...state, status: 'translated', reason: null };
    case 'StripeEventParked':
      return { ...state, status: 'parked', reason: event.reason };
    case 'StripeInvoiceLinesFetched': {
      const lines = [...(state.lines === 'complete' ? [] : state.lines.slice(0, event.from)), ...event.lines];
      if (!event.complete || state.received === null) return { ...state, lines };
      return { status: 'waiting', received: withLines(state.received, lines), lines: 'complete', reason: null };
    }
    case 'StripeEventSetAside':
      return { ...state, status: 'set_aside', reason: null };
    case 'StripeEventRetryRequested':
      return { ...state, status: 'waiting', reason: null };
    default:
      return assertNever(event);
  }
}

const ofPayments: ReadonlySet<ParkReason['code']> = new Set([
  'currency_mismatch',
  'account_refused',
  'too_large',
  'internal_error',
]);

/**
 * Whether it is not the event that cannot be translated, but what it says of a payment that cannot be settled: that is recorded, and
 * `subject` is the payment's stream.
 */
const isOfSettlement = ({ code, subject }: ParkReason): boolean =>
  ofPayments.has(code) && subject !== null && categoryOf(subject) === 'payment';

/** Why an event may wait that was translated: by what other events say, or by what follows from its payment. */
const mayComeLate = (reason: ParkReason): boolean => reason.code === 'owner_conflict' || isOfSettlement(reason);

/** What a translated event has recorded, as its `effects` name it. */
export const effectOf = ({ command, stream }: Recording): string => `${command.type} ${stream}`;
type Recording = { readonly command: { readonly type: string }; readonly stream: StreamName };

/** The stream of an effect. */
export const streamOfEffect = (effect: string): StreamName => effect.slice(effect.indexOf(' ') + 1);

const sameReason = (a: ParkReason | null, b: ParkReason): boolean =>
  a !== null && a.code === b.code && a.subject === b.subject && a.detail === b.detail;

/** The webhook is read once more, by its place in the log, although its lines were fetched since, or refused. */
const isOutOfDate = ({ lines, reason }: StripeEventState): boolean =>
  lines === 'complete' || reason?.code === 'lines_refused';

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
    case 'SetAsideStripeEvent': {
      const { actor, reason } = command;
      if (state.status !== 'parked' && state.status !== 'waiting') return [];
      return [{ type: 'StripeEventSetAside', at, stripeEventId, stripeType, actor, reason }];
    }
    case 'RecordTranslation':
      if (state.status === 'set_aside') return [];
      if (state.status === 'translated') return [];
      // What it says is recorded, and what follows still has to be looked at: only a retry says that it was.
      if (state.reason !== null && isOfSettlement(state.reason)) return [];
      return [{ type: 'StripeEventTranslated', at, stripeEventId, effects: command.effects }];
    case 'ParkStripeEvent':
      if (state.status === 'set_aside') return [];
      if (state.status === 'translated' && !mayComeLate(command.reason)) return [];
      // It waits for something else first, and is settled again once that is translated.
      if (state.reason !== null && !isOfSettlement(state.reason) && isOfSettlement(command.reason)) return [];
      if (sameReason(state.reason, command.reason)) return [];
      if (command.reason.code === 'lines_incomplete' && isOutOfDate(state)) return [];
      return [{ type: 'StripeEventParked', at, stripeEventId, stripeType, reason: command.reason }];
    case 'RecordInvoiceLines': {
      const { from, lines, complete } = command;
      // Another worker may have been quicker, or begun again: then what comes before is not all there.
      const follows = state.lines !== 'complete' && from <= state.lines.length;
      if (state.reason?.code !== 'lines_incomplete' || !follows) return [];
      return [{ type: 'StripeInvoiceLinesFetched', at, stripeEventId, from, lines, complete }];
    }
    case 'RequestRetry':
      if (state.status !== 'parked' && state.status !== 'set_aside') return [];
      return [{ type: 'StripeEventRetryRequested', at, stripeEventId }];
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
