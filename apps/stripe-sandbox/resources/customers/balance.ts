import type { Customer, CustomerBalanceTransaction } from '../../core/model.js';
import type { Tx } from '../../core/tx.js';

export type BalanceMove = {
  /** Negative gives the customer credit, positive is owed by the customer. */
  readonly amount: number;
  readonly type: 'adjustment' | 'applied_to_invoice' | 'credit_note' | 'initial' | 'unapplied_from_invoice';
  readonly currency?: string;
  readonly invoice?: string;
  readonly creditNote?: string;
  readonly description?: string | null;
  readonly metadata?: Record<string, string>;
};

/** Writes the transaction of a move; the customer's own `balance` is the caller's to change. */
export function recordMove(tx: Tx, before: Customer, move: BalanceMove): CustomerBalanceTransaction {
  return tx.create(
    'customer_balance_transaction',
    {
      id: tx.newId('customer_balance_transaction'),
      object: 'customer_balance_transaction',
      amount: move.amount,
      checkout_session: null,
      created: tx.now,
      credit_note: move.creditNote ?? null,
      currency: move.currency ?? before.currency ?? 'usd',
      customer: before.id,
      customer_account: null,
      description: move.description ?? null,
      ending_balance: before.balance + move.amount,
      invoice: move.invoice ?? null,
      livemode: false,
      metadata: move.metadata ?? {},
      type: move.type,
    },
    null,
  );
}

/** Moves a customer's balance: the transaction and `customer.updated`. Null for nothing. */
export function moveBalance(tx: Tx, customerId: string, move: BalanceMove): CustomerBalanceTransaction | null {
  if (move.amount === 0) return null;
  const customer = tx.need('customer', customerId);
  const transaction = recordMove(tx, customer, move);
  tx.update('customer', { ...customer, balance: transaction.ending_balance }, 'customer.updated');
  return transaction;
}
