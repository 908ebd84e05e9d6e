import type Stripe from 'stripe';
import type { BalanceTransaction } from '../../core/model.js';
import { share } from '../../core/money.js';
import { DAY } from '../../core/period.js';
import { listing, matching, retrieving, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';

type Movement = {
  readonly amount: number;
  readonly currency: string;
  readonly fee: number;
  readonly type: Stripe.BalanceTransaction['type'];
  readonly category: string;
  readonly source: string;
};

/** Stripe's usual price for a card payment: 2.9 % and 30 minor units. */
export const feeOf = (amount: number): number => Math.min(amount, share(amount, 29, 1000) + 30);

/** Books a movement of the account's own balance; Stripe keeps its fee when a payment is refunded. */
export function bookBalance(tx: Tx, movement: Movement): BalanceTransaction {
  const { amount, currency, fee, type, category, source } = movement;
  return tx.create(
    'balance_transaction',
    {
      id: tx.newId('balance_transaction'),
      object: 'balance_transaction',
      amount,
      available_on: tx.now + 2 * DAY,
      balance_type: 'payments',
      created: tx.now,
      currency,
      description: null,
      exchange_rate: null,
      fee,
      fee_details:
        fee === 0
          ? []
          : [{ amount: fee, application: null, currency, description: 'Stripe processing fees', type: 'stripe_fee' }],
      net: amount - fee,
      reporting_category: category,
      source,
      status: 'pending',
      type,
    },
    null,
  );
}

/** What the account's own balance holds by now, and what comes to it within two days, in each currency. */
function balanceOf(tx: Tx): Stripe.Balance {
  const sums = { available: new Map<string, number>(), pending: new Map<string, number>() };
  for (const { available_on: at, currency, net } of tx.all('balance_transaction')) {
    const sum = at <= tx.now ? sums.available : sums.pending;
    sum.set(currency, (sum.get(currency) ?? 0) + net);
  }
  const amounts = (sum: ReadonlyMap<string, number>) =>
    [...sum].map(([currency, amount]) => ({ amount, currency, source_types: { card: amount } }));
  return { object: 'balance', available: amounts(sums.available), pending: amounts(sums.pending), livemode: false };
}

export const balanceRoutes: readonly Route[] = [
  { method: 'GET', path: '/v1/balance', run: ({ tx }) => balanceOf(tx) },
  retrieving('balance_transaction', '/v1/balance_transactions'),
  listing('balance_transaction', '/v1/balance_transactions', (params) => {
    const [source, type] = [params.text('source'), params.text('type')];
    return (one) => matching(source, (value) => one.source === value) && matching(type, (value) => one.type === value);
  }),
];
