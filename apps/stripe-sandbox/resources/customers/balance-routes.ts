import { invalid, missing } from '../../core/api/errors.js';
import { page } from '../../core/api/lists.js';
import type { CustomerBalanceTransaction } from '../../core/model.js';
import { checkedCurrency } from '../../core/money.js';
import type { Params } from '../../core/api/params.js';
import type { Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { moveBalance } from './balance.js';
import { customerOf } from './customers.js';

function create(tx: Tx, id: string, params: Params): CustomerBalanceTransaction {
  const customer = customerOf(tx, id);
  const currency = checkedCurrency(params.required('currency'));
  if (customer.currency !== null && customer.currency !== currency)
    throw invalid('You cannot combine currencies on a single customer.', 'currency');
  const amount = params.requiredInteger('amount');
  const description = params.emptyable('description') ?? null;
  const moved = moveBalance(tx, id, {
    amount,
    type: 'adjustment',
    currency,
    description,
    metadata: params.metadata(),
  });
  if (moved === null) throw invalid('Amount must be non-zero.', 'amount');
  if (customer.currency === null) tx.put('customer', id, { ...tx.need('customer', id), currency });
  return moved;
}

function transactionOf(tx: Tx, ids: readonly string[]): CustomerBalanceTransaction {
  const found = tx.get('customer_balance_transaction', ids[1] ?? '');
  if (found === null || found.customer !== ids[0]) throw missing('customer balance transaction', ids[1] ?? '');
  return found;
}

const path = '/v1/customers/:id/balance_transactions';

export const customerBalanceRoutes: readonly Route[] = [
  { method: 'POST', path, run: ({ tx, id, params }) => create(tx, id, params) },
  {
    method: 'GET',
    path,
    run: ({ tx, id, params, path: url }) => {
      tx.need('customer', id);
      const moves = [...tx.ownedBy('customer_balance_transaction', id)].reverse();
      return page(params, url, moves, (move) => move.id);
    },
  },
  { method: 'GET', path: `${path}/:move`, run: ({ tx, ids }) => transactionOf(tx, ids) },
  {
    method: 'POST',
    path: `${path}/:move`,
    run: ({ tx, ids, params }) => {
      const move = transactionOf(tx, ids);
      const description = params.emptyable('description');
      return tx.update(
        'customer_balance_transaction',
        {
          ...move,
          description: description === undefined ? move.description : description,
          metadata: params.metadata(move.metadata),
        },
        null,
      );
    },
  },
];
