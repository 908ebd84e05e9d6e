import type { Money } from '#kernel/amount.js';
import type { Instant } from '#kernel/instant.js';
import type { PaymentState } from './state.js';
import type { Claim } from './claims.js';
import { allClaims, ownClaims } from './settlement.js';

export type PaymentStatus =
  'pending' | 'succeeded' | 'failed' | 'cancelled' | 'refunded' | 'partially_refunded' | 'disputed';

/** A payment as people see it. */
export type PaymentRecord = {
  readonly id: string;
  /** Null while nothing names one. */
  readonly customerId: string | null;
  /** `one_time`: money that a caller asked for with a payment intent, and that buys nothing here. Null while it is not known. */
  readonly type: 'subscription_payment' | 'upgrade' | 'downgrade' | 'top_up' | 'one_time' | null;
  readonly status: PaymentStatus;
  readonly money: Money | null;
  /** Minor units that went back, by refund, credit note or lost dispute. */
  readonly refunded: number;
  readonly method: { readonly type: string; readonly brand: string | null; readonly last4: string | null } | null;
  readonly failureReason: string | null;
  readonly paymentIntentId: string | null;
  readonly chargeId: string | null;
  readonly invoiceId: string | null;
  readonly sessionId: string | null;
  readonly paidAt: Instant | null;
  readonly refundedAt: Instant | null;
  readonly createdAt: Instant | null;
  /** Set where the money is accounted for in the payment of this invoice: the record is only a part of that one. */
  readonly partOf: string | null;
};

const types = {
  top_up: 'top_up',
  subscription: 'subscription_payment',
  upgrade: 'upgrade',
  downgrade: 'downgrade',
} as const;

/** The record of a payment's state. */
export function paymentRecordOf(state: PaymentState): PaymentRecord {
  const { paymentId, payment, attempt, method, invoiceId } = state;
  const money = payment?.money ?? attempt?.money ?? null;
  const claims = payment === null ? ownClaims(state) : allClaims(state);
  const taken = claims.filter((claim) => claim.state === 'taken');
  const sum = taken.reduce((total, { amount }) => total + amount, 0);
  const refunded = money === null ? sum : Math.min(sum, money.amount);
  const refunds = taken.filter(({ cause }) => cause.kind === 'refund');
  return {
    id: paymentId,
    customerId: payment?.customerId ?? attempt?.customerId ?? null,
    type: payment === null ? (attempt?.kind ?? null) : types[payment.kind],
    status: statusOf(state, claims, money, refunded),
    money,
    refunded,
    method: method === null ? null : { type: method.type, brand: method.brand, last4: method.last4 },
    failureReason: payment === null && attempt?.status === 'failed' ? attempt.failureReason : null,
    paymentIntentId: payment?.paymentIntentId ?? (paymentId.startsWith('pi_') ? paymentId : null),
    chargeId: method?.chargeId ?? null,
    invoiceId: payment?.invoiceId ?? invoiceId,
    sessionId: payment?.sessionId ?? null,
    paidAt: payment?.paidAt ?? (attempt?.status === 'succeeded' ? attempt.at : null),
    refundedAt: refunds.at(-1)?.since ?? null,
    createdAt: payment?.paidAt ?? attempt?.at ?? null,
    partOf: payment === null ? invoiceId : null,
  };
}

function statusOf(
  { payment, attempt }: PaymentState,
  claims: readonly Claim[],
  money: Money | null,
  refunded: number,
): PaymentStatus {
  const disputed = claims.some(({ cause, state: claim }) => cause.kind === 'dispute' && claim !== 'taken');
  if (disputed) return 'disputed';
  if (refunded > 0) return money === null || refunded >= money.amount ? 'refunded' : 'partially_refunded';
  if (payment !== null || attempt?.status === 'succeeded') return 'succeeded';
  if (attempt?.status === 'failed') return 'failed';
  return attempt?.status === 'canceled' ? 'cancelled' : 'pending';
}
