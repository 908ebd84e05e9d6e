import type { PaymentState } from './payment.js';
import { claimsOf, sortedClaims } from './payment-claims.js';
import type { Claim } from './payment-claims.js';

/** Who has to act on what is claimed, and on which telling of it. */
export type Settlement = { readonly version: number; readonly claims: readonly Claim[] } & (
  | { readonly to: 'account'; readonly customerId: string; readonly paymentReference: string; readonly paid: number }
  | { readonly to: 'invoice'; readonly from: string; readonly invoiceId: string }
);

/** Everything that is claimed of the payment, by its own facts and by those of payments that paid its invoice. */
export const allClaims = (state: PaymentState): readonly Claim[] =>
  sortedClaims([...claimsOf(state.moneyBack), ...state.linked.flatMap(({ claims }) => claims)]);

const isClaimed = ({ moneyBack, linked }: PaymentState): boolean =>
  linked.length > 0 || Object.values(moneyBack).some((facts) => facts.length > 0);

/**
 * What has to be done about the claims of a payment; null while nothing was ever claimed or nobody is known who could. Claims
 * wait in the payment until it is known what the money bought.
 */
export function settlementOf(state: PaymentState): Settlement | null {
  const { version, paymentId, payment, invoiceId } = state;
  if (!isClaimed(state)) return null;
  const claims = allClaims(state);
  if (payment !== null) {
    const { customerId, money } = payment;
    return { to: 'account', customerId, paymentReference: paymentId, paid: money.amount, version, claims };
  }
  return invoiceId === null ? null : { to: 'invoice', from: paymentId, invoiceId, version, claims };
}
