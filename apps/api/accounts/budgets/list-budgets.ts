import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { pageOf, type Cursor, type CursorShape, type Page } from '#database/page.js';
import { timePassed } from '#ledger/account/at.js';
import { budgetsAt, type BudgetStanding } from '#ledger/account/reading/budgets.js';
import { Problem } from '../../http/problem.js';
import type { Fresh, ReadRequest } from '../../reads/freshness.js';
import { LogReads } from '../../reads/log-reads.js';
import { BalanceHistory } from '../reads/balance-history.js';

export const budgetsCursor: CursorShape = ['text'];

/** Budgets of an account by their scopes, with what counts in their present windows. `scope`: of this one alone; null: of all. */
export class ListBudgets extends Query<Fresh<Page<BudgetStanding>>> {
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

  async execute({ account, page, request }: ListBudgets): Promise<Fresh<Page<BudgetStanding>>> {
    const asOf = await this.log.asOf(request);
    const { customerId, unit, scope } = account;
    const found = await this.history.accountNow(customerId, unit);
    if (found === null) throw new Problem('customer_not_found');
    const { state } = timePassed(found.account.state, found.now, found.account.revision);
    const after = page.cursor?.[0] ?? '';
    const budgets = budgetsAt(state, found.now, scope).filter((budget) => budget.scope > after);
    const result = pageOf(
      budgets,
      page.limit,
      (budget) => budget,
      (budget) => [budget.scope],
    );
    return { result, asOf };
  }
}
