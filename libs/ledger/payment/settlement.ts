import type { PaymentFacts, PaymentState } from './state.js';
import { byLinesOfNotes, creditedBefore } from './note-lines.js';
import { claimsOf, inCurrency, sortedClaims, type Claim, type MoneyBack, type Paid } from './claims.js';

/** Who has to act on what is claimed, and on which telling of it. */
export type Settlement = { readonly version: number; readonly claims: readonly Claim[] } & (
  | (Paid & { readonly to: 'account'; readonly customerId: string; readonly paymentReference: string })
  | {
      readonly to: 'payment';
      readonly from: string;
      readonly paymentId: string;
      /** Payments that may have had the claims before it was known that they are this one's; left out for none. */
      readonly notOf?: readonly string[];
    }
);

/** The currency of the payment's money, by whatever reports it; null while nothing does. */
export const currencyOf = ({ payment, attempt, linkedCurrency }: PaymentState): string | null =>
  payment?.money.currency ?? attempt?.money.currency ?? linkedCurrency;

/** The Stripe events that reported money of another currency than the payment's. */
export function mismatchedIn(state: PaymentState): readonly string[] {
  const own = currencyOf(state);
  return own === null ? [] : state.unmatched.flatMap(({ toldBy, currency }) => (currency === own ? [] : [toldBy]));
}

function ownFacts(state: PaymentState): MoneyBack {
  const currency = currencyOf(state);
  return currency === null ? state.moneyBack : inCurrency(state.moneyBack, currency);
}

/**
 * What the payment's own facts claim of it, as far as they are of its currency, beside what is claimed by `others`' facts. Refunds
 * that a credit note names are read by that one's lines.
 */
export const ownClaims = (state: PaymentState): readonly Claim[] => claimsBeside(state, []);

/** Everything that is claimed of the payment, by its own facts and by those of payments that paid its invoice. */
export function allClaims(state: PaymentState): readonly Claim[] {
  return claimsBeside(
    state,
    state.linked.flatMap(({ claims }) => claims),
  );
}

function claimsBeside(state: PaymentState, others: readonly Claim[]): readonly Claim[] {
  const facts = ownFacts(state);
  return sortedClaims(byLinesOfNotes([...claimsOf(facts, others), ...others], facts.creditNotes));
}

const hasOwnFacts = ({ moneyBack }: PaymentState): boolean =>
  Object.values(moneyBack).some((facts) => facts.length > 0);

/**
 * What has to be done about the claims of a payment; null while nothing was ever claimed or nobody is known who could. Claims
 * wait in the payment until it is known what the money bought. To another payment go only those of its own facts: that one may
 * know this one as its money in turn.
 */
export function settlementOf(state: PaymentState): Settlement | null {
  const { version, paymentId, payment, invoiceId, otherInvoiceIds } = state;
  if (payment !== null) {
    if (state.linked.length === 0 && !hasOwnFacts(state)) return null;
    const claims = allClaims(state);
    const { customerId } = payment;
    return {
      ...{ to: 'account', customerId, paymentReference: paymentId, ...paidBy(state, payment) },
      version,
      claims,
    };
  }
  if (invoiceId === null || !hasOwnFacts(state)) return null;
  const notOf = otherInvoiceIds.length === 0 ? {} : { notOf: otherInvoiceIds };
  return { to: 'payment', from: paymentId, paymentId: invoiceId, ...notOf, version, claims: ownClaims(state) };
}

/** The money of a payment that claims are shares of. */
function paidBy(state: PaymentState, { total, overpaid }: PaymentFacts): Paid {
  const credited = creditedBefore(ownFacts(state).creditNotes);
  return {
    paid: total,
    ...(overpaid === undefined ? {} : { overpaid }),
    ...(credited.length === 0 ? {} : { creditedBefore: credited }),
  };
}
