import type { CreditBalanceTransaction, CreditGrant } from '../../core/model.js';
import type { Tx } from '../../core/tx.js';

/** Minor units that moved: above zero for credits, below for debits. */
const signed = ({ credit, debit }: CreditBalanceTransaction): number =>
  (credit?.amount.monetary?.value ?? 0) - (debit?.amount.monetary?.value ?? 0);

/** What is left of a grant by all of its transactions that are effective at the sandbox's time. */
export const leftOf = (tx: Tx, grant: CreditGrant): number =>
  tx
    .ownedBy('billing.credit_balance_transaction', grant.id)
    .filter(({ effective_at }) => effective_at <= tx.now)
    .reduce((sum, transaction) => sum + signed(transaction), 0);

type Move =
  | { readonly credit: 'credits_granted'; readonly value: number; readonly effectiveAt: number }
  | { readonly debit: 'credits_expired' | 'credits_voided'; readonly value: number }
  | { readonly debit: 'credits_applied'; readonly value: number; readonly invoice: string; readonly line: string };

/** Writes a transaction of a grant; nothing for no money. */
export function moveCredits(tx: Tx, grant: CreditGrant, move: Move): void {
  if (move.value === 0) return;
  const amount = {
    monetary: { currency: grant.amount.monetary.currency, value: move.value },
    type: 'monetary' as const,
  };
  const isCredit = 'credit' in move;
  const applied = 'invoice' in move ? { invoice: move.invoice, invoice_line_item: move.line } : null;
  const transaction: CreditBalanceTransaction = {
    id: tx.newId('billing.credit_balance_transaction'),
    object: 'billing.credit_balance_transaction',
    created: tx.now,
    credit: isCredit ? { amount, credits_application_invoice_voided: null, type: move.credit } : null,
    credit_grant: grant.id,
    debit: isCredit ? null : { amount, credits_applied: applied, type: move.debit },
    effective_at: isCredit ? move.effectiveAt : tx.now,
    livemode: false,
    test_clock: tx.testClock,
    type: isCredit ? 'credit' : 'debit',
  };
  tx.create('billing.credit_balance_transaction', transaction, 'billing.credit_balance_transaction.created');
}
