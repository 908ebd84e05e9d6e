import { hash } from 'node:crypto';
import { isAmount } from '#kernel/amount.js';
import { later, instantOf } from '#kernel/instant.js';
import { canonicalJson } from '#kernel/json.js';
import { accountStream, DEFAULT_UNIT, isCustomerId, isUnit, type StreamName } from '#kernel/stream-name.js';
import { timePassed } from '#ledger/account/at.js';
import { budgetModes, budgetWindows, type BudgetCommand } from '#ledger/account/budgets/facts.js';
import { isTimeZone } from '#ledger/account/budgets/windows.js';
import { pathOf } from '#ledger/account/budgets/scope.js';
import { budgetsAt, type BudgetStanding } from '#ledger/account/reading/budgets.js';
import type { AccountRefusal } from '#ledger/account/commands.js';
import { WrongUse, type Call, type Command, type ExitCode } from '../terminal/command.js';
import { table } from '../terminal/output.js';

async function list({ environment, output }: Call, stream: StreamName, scope: string | null): Promise<ExitCode> {
  const { account } = await environment.ledger();
  const { state, revision } = await account.load(stream);
  const at = later(instantOf(environment.clock.now()), state.lastAt);
  const budgets = budgetsAt(timePassed(state, at, revision).state, at, scope);
  await output.answer({ at, budgets }, () =>
    budgets.length === 0 ? 'no budgets' : table(headings, budgets.map(rowOf)),
  );
  return 0;
}

const headings = ['scope', 'limit', 'window', 'time zone', 'mode', 'used', 'held', 'left', 'from', 'until'];
const rowOf = (budget: BudgetStanding): readonly string[] => [
  ...[budget.scope, String(budget.limit), budget.window, budget.timeZone, budget.mode],
  ...[String(budget.used), String(budget.held), String(budget.remaining)],
  ...[budget.windowStart, budget.windowEnd ?? 'for ever'],
];

async function change({ environment, output, ...call }: Changing, stream: StreamName): Promise<ExitCode> {
  const { command, key } = call;
  const { account } = await environment.ledger();
  const outcome = await account.execute({
    stream,
    command,
    key,
    origin: 'cli',
    fingerprint: key === null ? null : hash('sha256', canonicalJson(command), 'hex').slice(0, 32),
    actor: 'cli',
    causationId: null,
    correlationId: 'cli',
  });
  if (outcome.kind === 'refused') {
    output.progress(`not recorded: ${sentenceOf(outcome.refusal)}`);
    return 1;
  }
  const event =
    outcome.kind === 'recorded' ? outcome.events.findLast(({ event: each }) => 'scope' in each)?.event : null;
  if (event?.type !== 'BudgetSet' && event?.type !== 'BudgetRemoved') {
    output.progress(`it ended with ${outcome.kind}; look at the list before you repeat it`);
    return 1;
  }
  const { at: _at, balance: _balance, type, ...said } = event;
  await output.answer({ ...said, removed: type === 'BudgetRemoved' }, () =>
    event.type === 'BudgetSet'
      ? `${event.scope} may spend ${String(event.limit)} by ${event.window}; ${String(event.used + event.heldAmount)} are used`
      : `${event.scope} has no budget any more`,
  );
  return 0;
}

type Changing = Pick<Call, 'environment' | 'output'> & { readonly command: BudgetCommand; readonly key: string | null };

function sentenceOf(refusal: AccountRefusal): string {
  switch (refusal.rejected) {
    case 'budget_below_used':
      return `${String(refusal.used)} of ${refusal.scope} are used already in the present window`;
    case 'budget_not_found':
      return 'the scope has no budget';
    case 'too_many_budgets':
      return 'the account has as many budgets as it may have';
    case 'account_closed':
      return 'the account is closed';
    default:
      return refusal.rejected;
  }
}

function streamIn(call: Call): StreamName {
  const customerId = call.required('customer');
  if (!isCustomerId(customerId)) throw new WrongUse('--customer is not a customer id');
  const unit = call.text('unit') ?? DEFAULT_UNIT;
  if (!isUnit(unit)) throw new WrongUse('--unit is not a unit');
  return accountStream(customerId, unit);
}

function scopeIn(call: Call): string {
  const scope = call.required('scope');
  if (pathOf(scope) === null) throw new WrongUse('--scope must be org, or segments such as team:growth/member:ada');
  return scope;
}

function budgetIn(call: Call): BudgetCommand {
  const limit = Number(call.required('limit'));
  if (!isAmount(limit) || limit < 1) throw new WrongUse('--limit must be a whole number from 1');
  const window = oneOf(budgetWindows, call.required('window'), 'window');
  const timeZone = call.text('time-zone') ?? 'UTC';
  if (!isTimeZone(timeZone)) throw new WrongUse('--time-zone must be a name such as Europe/Berlin');
  const mode = oneOf(budgetModes, call.text('mode') ?? 'hard', 'mode');
  return { type: 'SetBudget', scope: scopeIn(call), limit, window, timeZone, mode };
}

function oneOf<Word extends string>(words: readonly Word[], given: string, option: string): Word {
  const found = words.find((word) => word === given);
  if (found === undefined) throw new WrongUse(`--${option} must be one of ${words.join(', ')}`);
  return found;
}

const changeBy = (call: Call, command: BudgetCommand): Promise<ExitCode> =>
  change({ environment: call.environment, output: call.output, command, key: call.text('key') }, streamIn(call));

const ofAccount = [
  { name: 'customer', value: 'ID', help: 'whose account' },
  { name: 'unit', value: 'NAME', help: 'in which unit (default credits)' },
] as const;
const ofScope = { name: 'scope', value: 'SCOPE', help: 'org, or segments such as team:growth/member:ada' } as const;
const key = { name: 'key', value: 'KEY', help: 'the same key has one effect, for ever' } as const;

export const budgetCommands: readonly Command[] = [
  {
    name: 'budgets list',
    summary: 'Budgets of an account, and what is left of them, from the log',
    options: [...ofAccount, { ...ofScope, help: 'only the budget of this scope' }],
    run: (call) => list(call, streamIn(call), call.text('scope')),
  },
  {
    name: 'budgets set',
    summary: 'Cap what is spent under a scope (exit 1 when it is refused)',
    options: [
      ...ofAccount,
      ofScope,
      { name: 'limit', value: 'N', help: 'how much may be spent in the window' },
      { name: 'window', value: 'KIND', help: budgetWindows.join(', ') },
      { name: 'time-zone', value: 'NAME', help: 'where days, weeks and months begin (default UTC)' },
      { name: 'mode', value: 'MODE', help: 'hard refuses what goes beyond it, soft tells of it (default hard)' },
      key,
    ],
    run: (call) => changeBy(call, budgetIn(call)),
  },
  {
    name: 'budgets remove',
    summary: 'Cap a scope no more',
    options: [...ofAccount, ofScope, key],
    run: (call) => changeBy(call, { type: 'RemoveBudget', scope: scopeIn(call) }),
  },
];
