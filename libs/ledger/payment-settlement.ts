import type { PaymentState } from './payment.js';
import { claimsOf, inCurrency, sortedClaims } from './payment-claims.js';
import type { Claim } from './payment-claims.js';

/** Who has to act on what is claimed, and on which telling of it. */
export type Settlement = { readonly version: number; readonly claims: readonly Claim[] } & (
  | { readonly to: 'account'; readonly customerId: string; readonly paymentReference: string; readonly paid: number }
  | { readonly to: 'payment'; readonly from: string; readonly paymentId: string }
);

/** Everything that is claimed of the payment, by its own facts and by those of payments that paid its invoice. */
export function allClaims(state: PaymentState): readonly Claim[] {
  const others = state.linked.flatMap(({ claims }) => claims);
  const { moneyBack, payment } = state;
  const own = payment === null ? moneyBack : inCurrency(moneyBack, payment.money.currency);
  return sortedClaims([...claimsOf(own, others), ...others]);
}

const isClaimed = ({ moneyBack, linked }: PaymentState): boolean =>
  linked.length > 0 || Object.values(moneyBack).some((facts) => facts.length > 0);

/**
 * What has to be done about the claims of a payment; null while nothing was ever claimed or nobody is known who could. Claims
 * wait in the payment until it is known what the money bought. To another payment go only those of its own facts: that one may
 * know this one as its money in turn.
 */
export function settlementOf(state: PaymentState): Settlement | null {
  const { version, paymentId, payment, invoiceId } = state;
  if (!isClaimed(state)) return null;
  if (payment !== null) {
    const { customerId, money } = payment;
    const claims = allClaims(state);
    return { to: 'account', customerId, paymentReference: paymentId, paid: money.amount, version, claims };
  }
  if (invoiceId === null) return null;
  return { to: 'payment', from: paymentId, paymentId: invoiceId, version, claims: claimsOf(state.moneyBack) };
}
