import type { Tx } from '../tx.js';
import { isRecord } from './present.js';
import type { Raw } from './versions.js';

type Former = {
  /** The first version that does not have the field any more. */
  readonly until: string;
  readonly read: (tx: Tx, object: Raw) => unknown;
};

const kept =
  (name: string) =>
  (_tx: Tx, object: Raw): unknown => {
    const own = object['sandbox'];
    return isRecord(own) ? (own[name] ?? null) : null;
  };
const inside =
  (...path: readonly string[]) =>
  (_tx: Tx, object: Raw): unknown =>
    path.reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), object) ?? null;

const firstOf =
  (name: string) =>
  (_tx: Tx, object: Raw): unknown => {
    const own = object['sandbox'];
    const list = isRecord(own) ? own[name] : null;
    return Array.isArray(list) ? (list[0] ?? null) : null;
  };

function planOfOnlyItem(_tx: Tx, object: Raw): unknown {
  const items = isRecord(object['items']) ? object['items']['data'] : null;
  const only: unknown = Array.isArray(items) && items.length === 1 ? items[0] : null;
  return isRecord(only) ? only['plan'] : null;
}

function firstRefund(_tx: Tx, object: Raw): unknown {
  const refunds = object['refunds'];
  const first: unknown = Array.isArray(refunds) ? refunds[0] : null;
  return isRecord(first) ? first['refund'] : null;
}

const basil = '2025-03-31';
const clover = '2025-09-30';

/** Fields that requests of older versions may expand, though the newest shape has them no longer. */
export const formerFields: Readonly<Record<string, Former>> = {
  'charge.invoice': { until: basil, read: kept('invoice') },
  'credit_note.refund': { until: basil, read: firstRefund },
  'discount.coupon': { until: clover, read: kept('coupon') },
  'invoice.charge': { until: basil, read: kept('charge') },
  'invoice.discount': { until: basil, read: firstOf('discounts') },
  'invoice.payment_intent': { until: basil, read: kept('paymentIntent') },
  'invoice.subscription': { until: basil, read: inside('parent', 'subscription_details', 'subscription') },
  'invoiceitem.price': { until: basil, read: kept('price') },
  'invoiceitem.subscription': { until: basil, read: inside('parent', 'subscription_details', 'subscription') },
  'line_item.price': { until: basil, read: kept('price') },
  'payment_intent.invoice': { until: basil, read: kept('invoice') },
  'promotion_code.coupon': { until: clover, read: kept('coupon') },
  'subscription.discount': { until: basil, read: firstOf('discounts') },
  'subscription.plan': { until: basil, read: planOfOnlyItem },
};

/** Fields that can be expanded since a version, and what it is. */
export const newerFields: Readonly<Record<string, string>> = {
  'invoice.confirmation_secret': basil,
  'invoice.payments': basil,
};
