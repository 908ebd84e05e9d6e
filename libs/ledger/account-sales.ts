import type { SoldRefusal } from './account-commands.js';
import type { Sale } from './account-events.js';
import type { AccountState } from './account-state.js';

/**
 * Why a sale grants nothing: it has granted before; or it may have, because the account has a sale of as much money whose invoice
 * or intent is not known and may be this one's. Null where it is a sale of its own. `apart`: ids of sales that are known to be others.
 */
export function refusalOfSale(state: AccountState, sale: Sale, apart: readonly string[]): SoldRefusal | null {
  let doubt: SoldRefusal | null = null;
  for (const { sale: known, paymentReference } of state.grants.values()) {
    if (known === null || paymentReference === null) continue;
    if (isSame(known, sale)) return { rejected: 'sold_already', paymentReference };
    const other = known.intent ?? known.invoice ?? '';
    if (mayBeSame(known, sale) && !apart.includes(other)) doubt ??= { rejected: 'sale_in_doubt', other };
  }
  return doubt;
}

const isSame = (a: Sale, b: Sale): boolean =>
  (a.session !== null && a.session === b.session) ||
  (a.intent !== null && a.intent === b.intent) ||
  (a.invoice !== null && a.invoice === b.invoice);

/** Of an invoice that does not say what paid it and an intent that does not say what it paid: one payment has one amount. */
function mayBeSame(a: Sale, b: Sale): boolean {
  const unknown = (a.intent === null && b.invoice === null) || (b.intent === null && a.invoice === null);
  const named = (a.invoice ?? b.invoice) !== null && (a.intent ?? b.intent) !== null;
  const sameMoney = a.paid !== null && a.paid.amount === b.paid?.amount && a.paid.currency === b.paid.currency;
  return unknown && named && sameMoney;
}
