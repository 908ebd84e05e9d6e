import { monthAfter } from '#kernel/instant.js';
import type { AccountEvent } from '#ledger/account-events.js';
import { dripIn, freeMonthIn, periodName } from '#ledger/allowance-keys.js';
import type { LedgerEvent } from '#ledger/events.js';
import { monthsIn, startOfMonth, type PaidPeriod } from '#ledger/paid-month.js';
import { creditsOfMonth, type FewerCredits } from '#ledger/period-reduction.js';
import type { StandingEvent, SubscriptionEvent } from '#ledger/subscription.js';
import { lapsesFrom, stoppedSince } from '#ledger/subscription-standing.js';
import type { ExpectedRow, Oracle, OracleFold, ProjectionWriter } from '#read-store/projection.js';
import type { Reader } from '#read-store/read-database.js';
import { document, TableWriter, type RowOf, type Table } from '#read-store/tables.js';
import {
  dispatch,
  lotsIgnored,
  ownerOf,
  settingsIgnored,
  type Handlers,
  type LedgerProjection,
  type Projected,
} from './ledger-projection.js';

/**
 * What the scheduler has to grant by the month: one row per customer on a free plan, and one per paid period. `next_at`: when
 * the next month's credits are due; null when none are. One more row per subscription (`state`) says with `period_end` from when
 * on it gives nothing: it has ended, or is paused; and with `unpaid_since` since when a payment is missing. `fewer`: what changes to
 * less leave out of a paid period's months; one of which nothing is left is not due.
 */
export const allowances = {
  name: 'allowances',
  visibleTo: 'operators',
  key: ['id'],
  changing: true,
  columns: {
    id: 'text',
    kind: 'text',
    customer_id: 'text',
    plan_id: 'text',
    subscription_id: 'text',
    invoice_id: 'text?',
    credits_per_month: 'bigint',
    cost_amount: 'bigint?',
    cost_currency: 'text?',
    rollover_cap: 'bigint',
    period_start: 'text?',
    period_end: 'text?',
    unpaid_since: 'text?',
    months_granted: 'int',
    fewer: 'text?',
    next_at: 'text?',
  },
  indexes: [
    '(next_at, id) where next_at is not null',
    `(customer_id, period_end) where kind = 'paid'`,
    `(subscription_id) where kind = 'state'`,
    `(customer_id) where kind = 'state'`,
  ],
} as const satisfies Table;
type Row = RowOf<typeof allowances>;

const freeId = (customerId: string): string => `free:${customerId}`;
const paidId = (period: string): string => `paid:${period}`;
const stateId = (subscriptionId: string): string => `state:${subscriptionId}`;

/** The row that an event changes; null when it changes none. */
function rowIdOf(projected: Projected): string | null {
  const { recorded } = projected;
  if (handlers[recorded.type as keyof typeof handlers] === 'ignored') return null;
  const { event } = projected;
  if (event.type === 'SubscriptionStarted') return freeId(event.customerId);
  if ('itemId' in event) {
    return paidId(periodName(event.itemId, event.periodStart));
  }
  if ('standing' in event) return stateId(event.subscriptionId);
  if (event.type !== 'CreditsGranted' || projected.actor !== 'scheduler') return null;
  const { commandKey } = projected.metadata;
  if (commandKey === null) return null;
  if (freeMonthIn(commandKey) !== null) return freeId(ownerOf(recorded).customer_id);
  const drip = dripIn(commandKey);
  return drip === null ? null : paidId(drip.period);
}

type Fold = Map<string, Row>;

const handlers: Handlers<Fold, SubscriptionEvent | AccountEvent> = {
  SubscriptionStarted: (rows, { customerId, subscriptionId, planId, at }) => {
    const id = freeId(customerId);
    rows.set(id, {
      id,
      kind: 'free',
      customer_id: customerId,
      plan_id: planId,
      subscription_id: subscriptionId,
      invoice_id: null,
      credits_per_month: 0,
      cost_amount: null,
      cost_currency: null,
      rollover_cap: 0,
      period_start: null,
      period_end: null,
      unpaid_since: null,
      months_granted: rows.get(id)?.months_granted ?? 0,
      fewer: null,
      // Changing from one free plan to another does not give the month twice.
      next_at: rows.get(id)?.next_at ?? at,
    });
  },
  SubscriptionActivated: (rows, event) => addPeriod(rows, event),
  SubscriptionRenewed: (rows, event) => addPeriod(rows, event),
  PaidPeriodReduced: 'ignored', // what it leaves of a period's months is told with it, or with the period
  MonthlyCreditsReduced: (rows, { itemId, periodStart, fewer }) => {
    const row = rows.get(paidId(periodName(itemId, periodStart)));
    if (row === undefined) return;
    const left = { ...row, fewer: fewer.length === 0 ? null : document(fewer) };
    rows.set(row.id, waitingFor(left, row.months_granted));
  },
  TrialStarted: putStanding,
  PaymentPastDue: putStanding,
  SubscriptionRecovered: putStanding,
  PlanChanged: putStanding,
  CancellationScheduled: putStanding,
  CancellationUnscheduled: putStanding,
  SubscriptionPaused: putStanding,
  SubscriptionResumed: putStanding,
  SubscriptionCanceled: putStanding,
  SubscriptionExpired: putStanding,
  SubscriptionObserved: putStanding,
  CreditsGranted: (rows, _event, projected) => {
    const id = rowIdOf(projected);
    const row = id === null ? undefined : rows.get(id);
    if (row === undefined) return;
    const granted = projected.metadata.commandKey ?? '';
    rows.set(row.id, row.kind === 'free' ? afterFreeMonth(row, granted) : afterDrip(row, granted));
  },
  AccountOpened: 'ignored',
  CreditsConsumed: 'ignored',
  ConsumptionReversed: 'ignored',
  ...lotsIgnored,
  ...settingsIgnored,
};

type Period = PaidPeriod & { readonly subscriptionId: string; readonly customerId: string; readonly invoiceId: string };

function addPeriod(rows: Fold, event: Period): void {
  const id = paidId(periodName(event.itemId, event.periodStart));
  const row: Row = {
    id,
    kind: 'paid',
    customer_id: event.customerId,
    plan_id: event.planId,
    subscription_id: event.subscriptionId,
    invoice_id: event.invoiceId,
    credits_per_month: event.creditsPerMonth,
    cost_amount: event.cost?.amount ?? null,
    cost_currency: event.cost?.currency ?? null,
    rollover_cap: event.rolloverCap ?? 0,
    period_start: event.periodStart,
    period_end: event.periodEnd,
    unpaid_since: null,
    months_granted: 1,
    next_at: null,
    fewer: null,
  };
  rows.set(id, event.interval === 'year' ? waitingFor(row, 1) : row);
}

function putStanding(rows: Fold, { subscriptionId, customerId, standing }: StandingEvent): void {
  const id = stateId(subscriptionId);
  rows.set(id, {
    id,
    kind: 'state',
    customer_id: customerId,
    plan_id: standing.planId,
    subscription_id: subscriptionId,
    invoice_id: null,
    credits_per_month: 0,
    cost_amount: null,
    cost_currency: null,
    rollover_cap: 0,
    period_start: null,
    period_end: stoppedSince(standing),
    unpaid_since: lapsesFrom(standing),
    months_granted: 0,
    next_at: null,
    fewer: null,
  });
}

/** The row of a period with so many months granted: due with the next that still gives something. */
function waitingFor(row: Row, granted: number): Row {
  const { period_start: start, period_end: end, credits_per_month: credits } = row;
  if (start === null || end === null) return row;
  for (let index = granted; index < monthsIn(start, end); index += 1) {
    const next_at = startOfMonth(start, end, index);
    const left = creditsOfMonth(Number(credits), fewerOf(row.fewer), next_at);
    if (left > 0) return { ...row, months_granted: granted, next_at };
  }
  return { ...row, months_granted: granted, next_at: null };
}

/** What the column `fewer` holds. */
export const fewerOf = (text: string | null): readonly FewerCredits[] =>
  text === null ? [] : (JSON.parse(text) as readonly FewerCredits[]);

const afterDrip = (row: Row, key: string): Row =>
  waitingFor(row, Math.max(row.months_granted, (dripIn(key)?.index ?? 0) + 1));

function afterFreeMonth(row: Row, key: string): Row {
  const month = freeMonthIn(key);
  const next = month === null ? row.next_at : monthAfter(month);
  const later = next !== null && row.next_at !== null && row.next_at > next;
  return { ...row, months_granted: row.months_granted + 1, next_at: later ? row.next_at : next };
}

class AllowancesWriter implements ProjectionWriter<LedgerEvent> {
  readonly #table: TableWriter<typeof allowances>;

  constructor(table: (name: string) => string) {
    this.#table = new TableWriter(allowances, table(allowances.name));
  }

  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    const changing = batch.map((projected) => ({ projected, id: rowIdOf(projected) })).filter(({ id }) => id !== null);
    const ids = [...new Set(changing.flatMap(({ id }) => id ?? []))];
    const before = await this.#table.withKeys(
      transaction,
      ids.map((id) => ({ id })),
    );
    const rows: Fold = new Map(before.map((row) => [row.id, row]));
    for (const { projected } of changing) dispatch(handlers, rows, projected);
    await this.#table.put(transaction, [...rows.values()]);
  }
}

/** Counts anew from all that was granted, at the end, instead of row by row as it happens. */
class AllowancesOracle implements OracleFold<LedgerEvent> {
  readonly #starts: Projected[] = [];
  readonly #grants: Projected[] = [];

  add(projected: Projected): readonly ExpectedRow[] {
    if (rowIdOf(projected) === null) return [];
    (projected.event.type === 'CreditsGranted' ? this.#grants : this.#starts).push(projected);
    return [];
  }

  *rest(): Iterable<ExpectedRow> {
    const rows: Fold = new Map();
    for (const projected of this.#starts) dispatch(handlers, rows, projected);
    for (const projected of this.#grants) dispatch(handlers, rows, projected);
    for (const row of rows.values()) yield { table: allowances.name, row };
  }
}

const oracle: Oracle<LedgerEvent> = {
  keyOf: () => 'all',
  needs: (projected) => rowIdOf(projected) !== null,
  fold: () => new AllowancesOracle(),
};

/** The months of credits that the scheduler has to grant. */
export const allowancesProjection: LedgerProjection = {
  name: 'allowances',
  version: 5,
  categories: ['subscription', 'account'],
  tables: [allowances],
  handlers,
  open: (table) => new AllowancesWriter(table),
  oracle,
};
