import { assertNever } from '#kernel/assert.js';
import type { Decider } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';
import { canonicalJson, type Json } from '#kernel/json.js';
import {
  withChargeRefunds,
  withCreditNote,
  withDispute,
  withRefund,
  type ChargeRefunds,
  type Claim,
  type CreditNoteFact,
  type DisputeFact,
  type MoneyBack,
  type RefundFact,
} from './claims.js';
import { paymentRecordOf, type PaymentRecord } from './record.js';
import { currencyOf, mismatchedIn, settlementOf, type Settlement } from './settlement.js';
import { initialPayment, type Attempt, type Method, type PaymentFacts, type PaymentState } from './state.js';

/** The Stripe event that reports money that goes back: it waits for a person if that is of another currency than the payment. */
type Sourced = { readonly toldBy: string };

export type PaymentCommand =
  | ({ readonly type: 'RecordPayment' } & PaymentFacts)
  | { readonly type: 'RecordAttempt'; readonly paymentId: string; readonly attempt: Attempt }
  | { readonly type: 'RecordMethod'; readonly paymentId: string; readonly method: Method }
  | (Sourced & { readonly type: 'RecordRefund'; readonly paymentId: string; readonly refund: RefundFact })
  | (Sourced & { readonly type: 'RecordChargeRefunds'; readonly paymentId: string; readonly charge: ChargeRefunds })
  | (Sourced & { readonly type: 'RecordDispute'; readonly paymentId: string; readonly dispute: DisputeFact })
  | (Sourced & { readonly type: 'RecordCreditNote'; readonly paymentId: string; readonly creditNote: CreditNoteFact })
  /**
   * The money of this payment paid an invoice, or this is an invoice and `invoiceId` the payment that paid it: what is claimed of the
   * one is claimed of the other, where that is the one that bought something. `currency`: of the money, where what tells it says so.
   */
  | { readonly type: 'LinkInvoice'; readonly paymentId: string; readonly invoiceId: string; readonly currency?: string }
  /** What is claimed of another payment, whose money paid this one's invoice. The newest version counts. */
  | {
      readonly type: 'TakeOverClaims';
      readonly paymentId: string;
      readonly from: string;
      readonly version: number;
      readonly claims: readonly Claim[];
    };

type FactBase = {
  readonly at: Instant;
  readonly paymentId: string;
  /** The payment as it is after the event; left out where the event says it all. */
  readonly record?: PaymentRecord;
  /** Left out where nothing is claimed. */
  readonly settlement?: Settlement;
  /** Of money that goes back: the Stripe event that reported it; left out in old events. */
  readonly toldBy?: string;
  /** The Stripe events that reported money of another currency than the payment's, so far; left out where none did. */
  readonly mismatched?: readonly string[];
};

export type PaymentEvent =
  | (FactBase & PaymentFacts & { readonly type: 'PaymentSucceeded' })
  | (FactBase & { readonly type: 'PaymentFailed'; readonly attempt: Attempt })
  | (FactBase & { readonly type: 'PaymentProgressed'; readonly attempt: Attempt })
  | (FactBase & { readonly type: 'PaymentMethodSeen'; readonly method: Method })
  | (FactBase & { readonly type: 'PaymentRefunded'; readonly refund: RefundFact })
  | (FactBase & { readonly type: 'RefundFailed'; readonly refund: RefundFact })
  | (FactBase & { readonly type: 'ChargeRefunded'; readonly charge: ChargeRefunds })
  | (FactBase & { readonly type: 'DisputeOpened'; readonly dispute: DisputeFact })
  | (FactBase & { readonly type: 'DisputeWon'; readonly dispute: DisputeFact })
  | (FactBase & { readonly type: 'DisputeLost'; readonly dispute: DisputeFact })
  | (FactBase & { readonly type: 'PaymentCredited'; readonly creditNote: CreditNoteFact })
  | (FactBase & { readonly type: 'PaymentLinked'; readonly invoiceId: string; readonly currency?: string })
  | (FactBase & {
      readonly type: 'ClaimsTakenOver';
      readonly from: string;
      readonly version: number;
      readonly claims: readonly Claim[];
    });

const MAX_UNMATCHED = 50;

const attemptRank = { processing: 0, failed: 1, canceled: 2, succeeded: 3 } as const;

/** The attempt that came further; of two alike the later one, so that the order of telling does not matter. */
function further(a: Attempt | null, b: Attempt): Attempt {
  if (a === null) return b;
  const [first, second] = [a, b].map(
    (each) => `${String(attemptRank[each.status])} ${each.at} ${each.failureReason ?? ''}`,
  );
  const customerId = a.customerId ?? b.customerId;
  const kind = a.kind ?? b.kind;
  return { ...((second ?? '') > (first ?? '') ? b : a), customerId, ...(kind === undefined ? {} : { kind }) };
}

function laterMethod(a: Method | null, b: Method): Method {
  return a === null || b.chargeId > a.chargeId ? b : a;
}

/**
 * What two reports of one payment say together, such as its session's and its intent's: what one of them does not know, the other
 * may. The same object when nothing is new.
 */
function joined(a: PaymentFacts | null, b: PaymentFacts): PaymentFacts {
  if (a === null) return b;
  const sessionId = a.sessionId ?? b.sessionId;
  const invoiceId = a.invoiceId ?? b.invoiceId;
  const total = Math.max(a.total, b.total);
  const overpaid = Math.max(a.overpaid ?? 0, b.overpaid ?? 0);
  const isNew =
    sessionId !== a.sessionId || invoiceId !== a.invoiceId || total !== a.total || overpaid !== (a.overpaid ?? 0);
  return isNew ? { ...a, sessionId, invoiceId, total, ...overpaidOf(overpaid) } : a;
}

const overpaidOf = (overpaid = 0): Pick<PaymentFacts, 'overpaid'> => (overpaid === 0 ? {} : { overpaid });

/** The state with money that goes back in it, and, while its currency is in doubt, with what reported it. */
function withMoneyBack(
  state: PaymentState,
  back: Partial<MoneyBack>,
  toldBy: string | undefined,
  currency: string | undefined,
): PaymentState {
  const changed = (Object.keys(back) as (keyof MoneyBack)[]).some((key) => back[key] !== state.moneyBack[key]);
  const after = changed ? { ...state, moneyBack: { ...state.moneyBack, ...back } } : state;
  if (toldBy === undefined || currency === undefined || currency === currencyOf(state)) return after;
  if (state.unmatched.some((known) => known.toldBy === toldBy)) return after;
  return { ...after, unmatched: [...state.unmatched, { toldBy, currency }].slice(-MAX_UNMATCHED) };
}

/** Of several invoices the one with the smallest id counts, whichever was reported first: claims are not shared out. */
function withLink(
  state: PaymentState,
  { invoiceId, currency }: { invoiceId: string; currency?: string },
): PaymentState {
  const { invoiceId: known, otherInvoiceIds, linkedCurrency } = state;
  const isLinked = invoiceId === known || otherInvoiceIds.includes(invoiceId);
  if (isLinked && (linkedCurrency !== null || currency === undefined)) return state;
  const [first = invoiceId, ...others] = [
    ...new Set([...(known === null ? [] : [known]), ...otherInvoiceIds, invoiceId]),
  ].sort();
  return { ...state, invoiceId: first, otherInvoiceIds: others, linkedCurrency: linkedCurrency ?? currency ?? null };
}

/** The state with a fact in it; the same object when the fact says nothing new. */
function withFact(state: PaymentState, event: PaymentEvent): PaymentState {
  const { moneyBack } = state;
  const back = (facts: Partial<MoneyBack>): PaymentState => withMoneyBack(state, facts, event.toldBy, moneyOf(event));
  switch (event.type) {
    case 'PaymentSucceeded': {
      const payment = joined(state.payment, event);
      return payment === state.payment ? state : { ...state, payment };
    }
    case 'PaymentFailed':
    case 'PaymentProgressed': {
      const attempt = further(state.attempt, event.attempt);
      return equal(attempt, state.attempt) ? state : { ...state, attempt };
    }
    case 'PaymentMethodSeen': {
      const method = laterMethod(state.method, event.method);
      return method === state.method || equal(method, state.method) ? state : { ...state, method };
    }
    case 'PaymentRefunded':
    case 'RefundFailed':
      return back({ refunds: withRefund(moneyBack.refunds, event.refund) });
    case 'ChargeRefunded':
      return back({ chargeRefunds: withChargeRefunds(moneyBack.chargeRefunds, event.charge) });
    case 'DisputeOpened':
    case 'DisputeWon':
    case 'DisputeLost':
      return back({ disputes: withDispute(moneyBack.disputes, event.dispute) });
    case 'PaymentCredited':
      return back({ creditNotes: withCreditNote(moneyBack.creditNotes, event.creditNote) });
    case 'PaymentLinked':
      return withLink(state, event);
    case 'ClaimsTakenOver': {
      const { from, version, claims } = event;
      const before = state.linked.find((linked) => linked.from === from);
      if (before !== undefined && before.version >= version) return state;
      return { ...state, linked: [...state.linked.filter((linked) => linked !== before), { from, version, claims }] };
    }
    default:
      return assertNever(event);
  }
}

const equal = (a: unknown, b: unknown): boolean => canonicalJson(a as Json) === canonicalJson(b as Json);

const evolve = (state: PaymentState, event: PaymentEvent, revision: number): PaymentState => ({
  ...withFact(state, event),
  paymentId: event.paymentId,
  version: revision,
});

function factOf(command: PaymentCommand, at: Instant): PaymentEvent {
  const { paymentId } = command;
  switch (command.type) {
    case 'RecordPayment': {
      const { customerId, kind, money, total, paidAt, paymentIntentId, invoiceId, sessionId } = command;
      const facts = { paymentId, customerId, kind, money, total, paidAt, paymentIntentId, invoiceId, sessionId };
      return { type: 'PaymentSucceeded', at, ...facts, ...overpaidOf(command.overpaid) };
    }
    case 'RecordAttempt': {
      const type = command.attempt.status === 'failed' ? 'PaymentFailed' : 'PaymentProgressed';
      return { type, at, paymentId, attempt: command.attempt };
    }
    case 'RecordMethod':
      return { type: 'PaymentMethodSeen', at, paymentId, method: command.method };
    case 'RecordRefund': {
      const type = command.refund.status === 'failed' ? 'RefundFailed' : 'PaymentRefunded';
      return { type, at, paymentId, refund: command.refund, toldBy: command.toldBy };
    }
    case 'RecordChargeRefunds':
      return { type: 'ChargeRefunded', at, paymentId, charge: command.charge, toldBy: command.toldBy };
    case 'RecordDispute': {
      const { status } = command.dispute;
      const type = status === 'lost' ? 'DisputeLost' : status === 'won' ? 'DisputeWon' : 'DisputeOpened';
      return { type, at, paymentId, dispute: command.dispute, toldBy: command.toldBy };
    }
    case 'RecordCreditNote':
      return { type: 'PaymentCredited', at, paymentId, creditNote: command.creditNote, toldBy: command.toldBy };
    case 'LinkInvoice': {
      const { invoiceId, currency } = command;
      return { type: 'PaymentLinked', at, paymentId, invoiceId, ...(currency === undefined ? {} : { currency }) };
    }
    case 'TakeOverClaims': {
      const { from, version, claims } = command;
      return { type: 'ClaimsTakenOver', at, paymentId, from, version, claims };
    }
    default:
      return assertNever(command);
  }
}

/** The currency of money that goes back, where what reports it says so. */
function moneyOf(event: PaymentEvent): string | undefined {
  switch (event.type) {
    case 'PaymentRefunded':
    case 'RefundFailed':
      return event.refund.currency;
    case 'ChargeRefunded':
      return event.charge.amount === 0 ? undefined : event.charge.currency;
    case 'DisputeOpened':
    case 'DisputeWon':
    case 'DisputeLost':
      return event.dispute.currency;
    case 'PaymentCredited':
      return event.creditNote.currency;
    default:
      return undefined;
  }
}

function decide(state: PaymentState, command: PaymentCommand, at: Instant, revision: number): readonly PaymentEvent[] {
  const fact = factOf(command, at);
  if (withFact(state, fact) === state) return [];
  const after = evolve(state, fact, revision);
  const settlement = settlementOf(after);
  const mismatched = mismatchedIn(after);
  const plain = state === initialPayment && fact.type === 'PaymentSucceeded';
  return [
    {
      ...fact,
      ...(plain ? {} : { record: paymentRecordOf(after) }),
      ...(settlement === null ? {} : { settlement }),
      ...(mismatched.length === 0 ? {} : { mismatched }),
    },
  ];
}

/** The rules of a payment: a set of facts that only grows, so that any order of telling ends in the same state. */
export const paymentDecider: Decider<PaymentCommand, PaymentEvent, PaymentState, never> = {
  category: 'payment',
  initial: () => initialPayment,
  decide: (state, command, moment) => decide(state, command, moment.at, moment.revision),
  evolve,
  fork: (state) => state,
  merge: (fork) => fork,
};

/** The record that an event leaves, for read models: an event without one is the first and says it all. */
export const recordAfter = (event: PaymentEvent): PaymentRecord =>
  event.record ?? paymentRecordOf(evolve(initialPayment, event, 0));
