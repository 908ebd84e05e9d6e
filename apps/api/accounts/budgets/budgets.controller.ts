import { Body, Controller, Delete, Get, Param, Put, Query, Req } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import { assert } from '#kernel/assert.js';
import { DEFAULT_UNIT } from '#kernel/stream-name.js';
import type { BudgetCommand } from '#ledger/account/budgets/facts.js';
import { pathOf } from '#ledger/account/budgets/scope.js';
import type { Answer } from '../../http/answer.js';
import type { ApiRequest } from '../../http/caller.js';
import { Problem } from '../../http/problem.js';
import { Needs } from '../../http/route.js';
import { CommandRoute, QueryRoute } from '../../openapi/api-docs.js';
import { pageBody, pageWanted } from '../../reads/pages.js';
import { readRequest } from '../../reads/read-request.js';
import { AccountService } from '../commands/account-service.js';
import { budgetAnswer } from '../commands/answers.js';
import { fingerprintOf } from '../commands/intents.js';
import { orderIn } from '../commands/order-in.js';
import { BudgetBody, BudgetsQuery } from './bodies.dto.js';
import { budgetsCursor, ListBudgets } from './list-budgets.js';

/** Caps on what is spent of an account under a scope. */
@ApiTags('Budgets')
@Controller('v1/customers/:customerId/budgets')
export class BudgetsController {
  constructor(
    private readonly accounts: AccountService,
    private readonly queries: QueryBus,
  ) {}

  @Put(':scope')
  @Needs('credits:write', { dryRun: true })
  @CommandRoute({
    id: 'setBudget',
    summary: 'Cap what is spent under a scope',
    body: BudgetBody,
    key: 'required',
    setsState: true,
    problems: ['scope_invalid', 'budget_below_used', 'too_many_budgets', 'account_closed'],
  })
  set(@Req() request: ApiRequest, @Param('scope') scope: string, @Body() body: BudgetBody): Promise<Answer> {
    const { limit, window, timeZone = 'UTC', mode = 'hard' } = body;
    return this.#run(request, body.unit, { type: 'SetBudget', scope, limit, window, timeZone, mode });
  }

  @Delete(':scope')
  @Needs('credits:write', { dryRun: true })
  @CommandRoute({
    id: 'removeBudget',
    summary: 'Cap a scope no more',
    setsState: true,
    problems: ['scope_invalid', 'budget_not_found', 'account_closed'],
  })
  remove(@Req() request: ApiRequest, @Param('scope') scope: string): Promise<Answer> {
    return this.#run(request, undefined, { type: 'RemoveBudget', scope });
  }

  @Get()
  @Needs('credits:read', { people: true })
  @QueryRoute({
    id: 'listBudgets',
    summary: 'Budgets by their scopes, with what is left of them',
    problems: ['customer_not_found', 'scope_invalid'],
  })
  async list(
    @Req() request: ApiRequest,
    @Param('customerId') customerId: string,
    @Query() query: BudgetsQuery,
  ): Promise<object> {
    const { scope = null, unit = DEFAULT_UNIT } = query;
    if (scope !== null && pathOf(scope) === null) throw new Problem('scope_invalid');
    const account = { customerId, unit, scope };
    const list = { list: 'budgets', ...account };
    const page = pageWanted(query, budgetsCursor, list);
    const found = await this.queries.execute(new ListBudgets(account, page, readRequest(query, request.caller)));
    return pageBody(found, list);
  }

  #run(request: ApiRequest, unit: string | undefined, command: BudgetCommand): Promise<Answer> {
    const intent = { command, fingerprint: fingerprintOf(command) };
    const order = orderIn(request, unit, intent, command.type === 'SetBudget');
    return this.accounts.set(order, (recorded) => {
      assert(recorded !== null, `${command.type} was accepted and recorded nothing`);
      return Promise.resolve(budgetAnswer(order.stream, recorded));
    });
  }
}
