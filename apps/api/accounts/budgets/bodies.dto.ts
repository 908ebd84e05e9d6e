import { budgetModes, budgetWindows, type BudgetTerms } from '#ledger/account/budgets/facts.js';
import { isTimeZone } from '#ledger/account/budgets/windows.js';
import { Credits, OneOf, Text, TimeZone, Unit } from '../../http/validation/rules.js';
import { AccountListQuery } from '../reads/queries.dto.js';

export class BudgetBody {
  @Credits({ description: 'How much may be spent in the window.', example: 500 })
  limit!: number;

  @OneOf(budgetWindows, {
    description:
      'A week begins on Monday; a period is the one of the plan, else the calendar month; a total never ends.',
    example: 'day',
  })
  window!: BudgetTerms['window'];

  @TimeZone(isTimeZone, {
    description: 'Where days, weeks and months begin: a name of the IANA time zone database.',
    example: 'Europe/Berlin',
    optional: 'absent',
    default: 'UTC',
  })
  timeZone?: string;

  @OneOf(budgetModes, {
    description: '`hard` refuses what goes beyond the limit, `soft` tells of it.',
    example: 'hard',
    optional: 'absent',
    default: 'hard',
  })
  mode?: BudgetTerms['mode'];

  @Unit()
  unit?: string;
}

export class BudgetsQuery extends AccountListQuery {
  @Text(0, 1_000, { description: 'Only the budget of this scope.', example: 'team:growth', optional: 'absent' })
  scope?: string;
}
