import { AccountFold, accountHandlers } from './fold.js';
import { balancesOracle } from './oracle.js';
import { accountBalances, grants, holds } from './tables.js';
import type { LedgerProjection } from '../ledger-projection.js';

/**
 * Accounts, their grants and their holds: one projection, because a balance must never be seen apart from the grants and
 * holds that make it up.
 */
export const balances: LedgerProjection = {
  name: 'balances',
  version: 10,
  categories: ['account'],
  tables: [accountBalances, grants, holds],
  handlers: accountHandlers,
  open: (table) => new AccountFold(table),
  oracle: balancesOracle,
};
