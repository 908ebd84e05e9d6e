import { budgetModes, budgetWindows } from '#ledger/account/budgets/facts.js';
import {
  credits,
  customerId,
  dryRun,
  object,
  ofCustomer,
  orNull,
  page,
  position,
  text,
  time,
  unit,
  word,
  type AnswerSchemas,
} from '../../openapi/schema.js';

const account = { customerId, unit };
const budget = {
  scope: text,
  limit: credits,
  window: word(...budgetWindows),
  timeZone: text,
  mode: word(...budgetModes),
  used: { ...credits, description: 'What counts in the window, with what is held.' },
  held: { ...credits, description: 'The part of it that open holds reserve.' },
  remaining: credits,
  windowStart: time,
  windowEnd: { ...orNull(time), description: 'The window ends before it; null for never.' },
};
const recorded = {
  'position?': { ...position, description: 'Where it is in the log. Absent in a dry run.' },
  'dryRun?': dryRun,
};

export const budgetSchemas: AnswerSchemas = {
  schemas: {
    Budget: object(budget),
    BudgetList: page('Budget'),
    BudgetAnswer: object({ ...account, ...budget, ...recorded }),
    BudgetRemoval: object({ scope: text, ...account, ...recorded }),
  },
  byRoute: {
    [`GET ${ofCustomer}/budgets`]: 'BudgetList',
    [`PUT ${ofCustomer}/budgets/{scope}`]: 'BudgetAnswer',
    [`DELETE ${ofCustomer}/budgets/{scope}`]: 'BudgetRemoval',
  },
};
