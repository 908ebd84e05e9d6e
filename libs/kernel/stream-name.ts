/** A stream's name: category, a hyphen, the id. `catalog` alone has no id. */
export type StreamName = string;

export const DEFAULT_UNIT = 'credits';

const customerPattern = /^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}$/;
const unitPattern = /^[a-z][a-z0-9_]{0,31}$/;

/** 1 to 128 letters, digits and `_.:@-`, the first a letter or digit: what may stand in a stream's name. */
export const isCustomerId = (value: string): boolean => customerPattern.test(value);
/** 1 to 32 lower-case letters, digits and `_`, the first a letter. No dot: it parts the unit from the customer. */
export const isUnit = (value: string): boolean => unitPattern.test(value);

/**
 * `account-{customer}` for the default unit, else `account-{customer}.{unit}`. A customer id may hold dots; then the unit
 * is always written, so that two accounts never share a stream.
 */
export const accountStream = (customerId: string, unit: string): StreamName =>
  unit === DEFAULT_UNIT && !customerId.includes('.') ? `account-${customerId}` : `account-${customerId}.${unit}`;

/** The customer and unit of an account stream; null for any other stream. */
export function accountOf(stream: StreamName): { customerId: string; unit: string } | null {
  if (!stream.startsWith('account-')) return null;
  const rest = stream.slice('account-'.length);
  const dot = rest.lastIndexOf('.');
  return dot < 0
    ? { customerId: rest, unit: DEFAULT_UNIT }
    : { customerId: rest.slice(0, dot), unit: rest.slice(dot + 1) };
}

/** What is known of a customer besides the accounts. */
export const customerStream = (customerId: string): StreamName => `customer-${customerId}`;
/** All that is on sale; there is one catalogue. */
export const catalogStream: StreamName = 'catalog';
/** An id of a Stripe event that can name a stream: letters, digits, `_`, `-`, `.` and `:`. */
export const stripeEventIdPattern = /^[\w.:-]{1,255}$/;
/** What became of one event of Stripe's. */
export const stripeEventStream = (stripeEventId: string): StreamName => `stripeEvent-${stripeEventId}`;
/** By Stripe's id of the subscription, or that of a free plan. */
export const subscriptionStream = (subscriptionId: string): StreamName => `subscription-${subscriptionId}`;
/** What a customer used of the features of plans, and the plans that count for it. */
export const usageStream = (customerId: string): StreamName => `usage-${customerId}`;
/** By the payment intent's id, else the session's or the invoice's. */
export const paymentStream = (paymentId: string): StreamName => `payment-${paymentId}`;
/** By Stripe's id of the invoice. */
export const invoiceStream = (invoiceId: string): StreamName => `invoice-${invoiceId}`;

/** What stands before the first hyphen. */
export const categoryOf = (stream: StreamName): string => {
  if (stream.startsWith('account-')) return 'account'; // nearly all are, and a constant is compared at once
  const hyphen = stream.indexOf('-');
  return hyphen < 0 ? stream : stream.slice(0, hyphen);
};
