import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { pageOf, type Cursor, type CursorShape, type Page } from '#database/page.js';
import { timePassed } from '#ledger/account/at.js';
import { countAt } from '#ledger/account/budgets/counting.js';
import { Problem } from '../../http/problem.js';
import type { Fresh, ReadRequest } from '../../reads/freshness.js';
import { LogReads } from '../../reads/log-reads.js';
import { BalanceHistory } from '../reads/balance-history.js';
import { shownBudget } from './shown-budget.js';

type ShownBudget = ReturnType<typeof shownBudget>;
export const budgetsCursor: CursorShape = ['text'];

/** Budgets of an account by their scopes, with what counts in their present windows. `scope`: of this one alone; null: of all. */
export class ListBudgets extends Query<Fresh<Page<ShownBudget>>> {
  constructor(
    readonly account: { readonly customerId: string; readonly unit: string; readonly scope: string | null },
    readonly page: { readonly limit: number; readonly cursor: Cursor | null },
    readonly request: ReadRequest,
  ) {
    super();
  }
}

/** From the log alone. Ends the request for a customer never heard of. */
@QueryHandler(ListBudgets)
export class ListBudgetsHandler implements IQueryHandler<ListBudgets> {
  constructor(
    private readonly history: BalanceHistory,
    private readonly log: LogReads,
  ) {}

  async execute({ account, page, request }: ListBudgets): Promise<Fresh<Page<ShownBudget>>> {
    const asOf = await this.log.asOf(request);
    const { customerId, unit, scope } = account;
    const found = await this.history.accountNow(customerId, unit);
    if (found === null) throw new Problem('customer_not_found');
    const { state } = timePassed(found.account.state, found.now, found.account.revision);
    const after = page.cursor?.[0] ?? '';
    const known = scope === null ? [...state.budgets.values()] : [state.budgets.get(scope)];
    const wanted = known
      .filter((budget) => budget !== undefined)
      .filter((budget) => budget.scope > after)
      .sort((a, b) => (a.scope < b.scope ? -1 : 1))
      .slice(0, page.limit + 1);
    const result = pageOf(
      wanted,
      page.limit,
      (budget) => shownBudget(budget, countAt(budget, state.usage, found.now, -1)),
      (budget) => [budget.scope],
    );
    return { result, asOf };
  }
}
