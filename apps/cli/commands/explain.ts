import { later, instantOf, parseInstant, type Instant } from '#kernel/instant.js';
import { accountStream, DEFAULT_UNIT, isCustomerId, isUnit, type StreamName } from '#kernel/stream-name.js';
import { START, type EventStore, type Position } from '#event-store/port/event-store.js';
import { accountDecider } from '#ledger/account/account.js';
import { timePassed } from '#ledger/account/at.js';
import type { AccountEvent } from '#ledger/account/events.js';
import { explanationOf, UseCounts, type Explanation } from '#ledger/account/reading/explanation.js';
import { basisFrom, basisOf, forecastOf, type Forecast } from '#ledger/account/reading/forecast.js';
import type { AccountState } from '#ledger/account/state.js';
import { ledgerCodec } from '#ledger/events.js';
import { WrongUse, type Call, type Command, type ExitCode } from '../terminal/command.js';
import { table } from '../terminal/output.js';
import { eventsOf } from './replay.js';

/** An account as its events until a moment left it. */
type Folded = {
  readonly state: AccountState;
  readonly counts: UseCounts;
  readonly revision: number;
  readonly position: Position;
  readonly openedAt: Instant | null;
};
type Until = { readonly at: Instant } | { readonly position: Position } | null;

async function folded(store: EventStore, stream: StreamName, until: Until): Promise<Folded> {
  const counts = new UseCounts();
  let state = accountDecider.initial(stream);
  let [revision, position, openedAt] = [-1, START, null as Instant | null];
  for await (const stored of eventsOf(store, stream)) {
    const event = ledgerCodec.decode<AccountEvent>(stored);
    if ('undecodable' in event) throw new Error(`position ${stored.position}: ${event.undecodable}`);
    if (until !== null && ('at' in until ? event.at > until.at : stored.position > until.position)) break;
    state = accountDecider.evolve(state, event, stored.revision);
    counts.add(event);
    ({ revision, position } = stored);
    openedAt ??= event.at;
  }
  return { state, counts, revision, position, openedAt };
}

async function explain(call: Asking): Promise<ExitCode> {
  const { customerId, unit, stream, until } = call;
  const store = await storeWith(call);
  if (store === null) return 1;
  const { state, counts, revision, position } = await folded(store, stream, until);
  const now = instantOf(call.environment.clock.now());
  const at = until === null ? later(now, state.lastAt) : 'at' in until ? until.at : state.lastAt || now;
  const passed = timePassed(state, at, revision);
  for (const event of passed.events) counts.add(event);
  const explanation = explanationOf(passed.state, (grantId) => counts.of(grantId));
  const { available, held, debt, sums } = explanation;
  const fits = sums.available === available && sums.held === held && sums.debt === debt;
  const result = { customerId, unit, at, position, ...explanation };
  await call.output.answer(result, () => describeExplanation(result));
  return fits ? 0 : 1;
}

function describeExplanation({
  customerId,
  unit,
  at,
  ...explanation
}: Explanation & { readonly customerId: string; readonly unit: string; readonly at: Instant }): string {
  const { available, held, debt, grants, debts, sums } = explanation;
  const columns = [
    'granted',
    'scheduled',
    'available',
    'held',
    'consumed',
    'expired',
    'revoked',
    'repaidDebt',
    'transferred',
  ] as const;
  const rows = grants.map((grant) => [
    grant.grantId,
    grant.source,
    ...columns.map((column) => String(grant[column])),
    String(grant.uses),
    grant.lastUse ?? '',
  ]);
  const total = ['all', '', ...columns.map((column) => String(sums[column])), '', ''];
  return [
    table(['grant', 'source', ...columns, 'uses', 'last use'], [...rows, total]),
    '',
    ...debts.map(
      ({ debtId, cause, outstanding, repaid }) =>
        `${debtId}: ${String(outstanding)} owed, ${String(repaid)} repaid, for ${cause.kind} ${cause.id}`,
    ),
    `${customerId} at ${at}: ${String(available)} ${unit} available, ${String(held)} held, ${String(debt)} owed`,
  ].join('\n');
}

async function forecast(call: Asking): Promise<ExitCode> {
  const { customerId, unit, stream } = call;
  const store = await storeWith(call);
  if (store === null) return 1;
  const account = await folded(store, stream, null);
  const to = later(instantOf(call.environment.clock.now()), account.state.lastAt);
  const from = basisFrom(account.openedAt, to);
  const before = await folded(store, stream, { at: from });
  const { state } = timePassed(account.state, to, account.revision);
  const basis = basisOf(before.state, state, { from, to });
  const { available } = state.balance;
  const result = { customerId, unit, available, ...forecastOf(state, basis), basis };
  await call.output.answer(result, () => describeForecast(result));
  return 0;
}

function describeForecast({
  customerId,
  unit,
  available,
  ...forecasted
}: Forecast & { readonly customerId: string; readonly unit: string; readonly available: number }): string {
  const { perDay, daysLeft, runsOutAt, expiringUnused } = forecasted;
  const end = runsOutAt === null ? 'they do not run out' : `they run out on ${runsOutAt}, in ${String(daysLeft)} days`;
  return [
    `${customerId}: ${String(available)} ${unit} available, ${perDay} a day: ${end}`,
    ...expiringUnused.map(({ grantId, at, amount }) => `${String(amount)} of ${grantId} expire unused on ${at}`),
  ].join('\n');
}

/** The log, if it has the account; else says so. */
async function storeWith({ environment, output, customerId, unit, stream }: Asking): Promise<EventStore | null> {
  const store = await environment.store();
  if ((await store.readStream(stream, 0, 1)).length > 0) return store;
  output.progress(`there is no account of ${customerId} in ${unit}`);
  return null;
}

type Asking = Pick<Call, 'environment' | 'output'> & {
  readonly customerId: string;
  readonly unit: string;
  readonly stream: StreamName;
  readonly until: Until;
};

function asked(call: Call): Asking {
  const customerId = call.required('customer');
  const unit = call.text('unit') ?? DEFAULT_UNIT;
  if (!isCustomerId(customerId)) throw new WrongUse('--customer is not a customer id');
  if (!isUnit(unit)) throw new WrongUse('--unit is not a unit');
  const { environment, output } = call;
  return { environment, output, customerId, unit, stream: accountStream(customerId, unit), until: untilOf(call) };
}

function untilOf(call: Call): Until {
  const [time, position] = [call.text('at'), call.text('position')];
  if (time !== null && position !== null) throw new WrongUse('--at and --position cannot be combined');
  if (position !== null) {
    if (!/^\d{1,19}$/.test(position)) throw new WrongUse('--position must be a place in the log, such as 42');
    return { position: position.padStart(START.length, '0') };
  }
  if (time === null) return null;
  const at = parseInstant(time);
  if (at === null) throw new WrongUse('--at must be a time such as 2026-11-21T08:00:00Z');
  return { at };
}

const whose = [
  { name: 'customer', value: 'ID', help: 'whose account' },
  { name: 'unit', value: 'UNIT', help: `which of their accounts (default ${DEFAULT_UNIT})` },
];

export const explainCommands: readonly Command[] = [
  {
    name: 'explain',
    summary: 'Why a balance is what it is, grant by grant, from the log alone',
    options: [
      ...whose,
      { name: 'at', value: 'TIME', help: 'as it was at this instant (default now)' },
      { name: 'position', value: 'POSITION', help: 'as it was after the event at this position' },
    ],
    run: (call) => explain(asked(call)),
  },
  {
    name: 'forecast',
    summary: 'When the credits of an account run out at the present rate, and what expires unused',
    options: whose,
    run: (call) => forecast(asked(call)),
  },
];
