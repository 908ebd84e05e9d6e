import { monthOf, type Instant } from '#kernel/instant.js';
import { DEFAULT_UNIT } from '#kernel/stream-name.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { StandingEvent, SubscriptionEvent } from '#ledger/subscription/subscription.js';
import { endOf, hasEnded, lapsesFrom } from '#ledger/subscription/standing.js';
import type { ProjectionWriter } from '#projecting/projection.js';
import type { Reader } from '#database/database.js';
import { TableWriter, type RowOf, type Table } from '#projecting/tables.js';
import {
  dispatch,
  lotsIgnored,
  ownerOf,
  settingsIgnored,
  type Handlers,
  type LedgerProjection,
  type Projected,
} from '../ledger-projection.js';
import { allowancesOracle } from './oracle.js';

/**
 * What the scheduler has to know of free plans: one row per customer on one (`free`), with the months that are granted and not
 * withdrawn, and one per subscription (`state`): whether it is in force, when it ends or has ended, and since when a payment is
 * missing. A customer of subscriptions alone has a row, too (`none`), and one whose account is closed (`closed`).
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
    in_force: 'boolean',
    ends_at: 'text?',
    unpaid_since: 'text?',
    /** The newest months with their credits: ` 2026-11=100; 2026-12=100;`. */
    months: 'text',
    latest_month: 'text',
    latest_amount: 'bigint',
    /** Of a customer: how many subscriptions are in force without an end and without a missing payment. */
    lasting: 'int',
  },
  indexes: [
    `(latest_month, latest_amount, plan_id) where kind = 'free' and lasting = 0`,
    `(latest_month) where kind = 'free' and lasting > 0`,
    `(customer_id) where kind = 'state'`,
    `(ends_at) where kind = 'state' and in_force`,
    `(unpaid_since) where kind = 'state' and in_force and ends_at is null`,
  ],
} as const satisfies Table;
type Row = RowOf<typeof allowances>;
type Fold = Map<string, Row>;

/** So many months are remembered: the present and the next one, and the one before for who is late. */
const REMEMBERED = 3;

const freeId = (customerId: string): string => `free:${customerId}`;
const stateId = (subscriptionId: string): string => `state:${subscriptionId}`;

const handlers: Handlers<Fold, SubscriptionEvent | AccountEvent> = {
  SubscriptionStarted: (rows, { customerId, subscriptionId, planId }) => {
    const id = freeId(customerId);
    const before = rows.get(id) ?? customerRow(customerId);
    rows.set(id, { ...before, kind: onFreePlan(before), plan_id: planId, subscription_id: subscriptionId });
  },
  SubscriptionActivated: 'ignored', // what was paid; how the subscription stands is told by itself
  SubscriptionRenewed: 'ignored',
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
  AccountOpened: 'ignored',
  CreditsConsumed: 'ignored',
  ConsumptionReversed: 'ignored',
  ...lotsIgnored,
  ...settingsIgnored,
  // It is granted nothing any more.
  AccountClosed: (rows, _event, { recorded }) => {
    const { customer_id: customerId, unit } = ownerOf(recorded);
    if (unit !== DEFAULT_UNIT) return;
    rows.set(freeId(customerId), { ...(rows.get(freeId(customerId)) ?? customerRow(customerId)), kind: 'closed' });
  },
  CreditsGranted: (rows, { term, amount }, projected) => {
    if (term?.kind === 'free') changeMonth(rows, projected, term.start, amount);
  },
  CreditsRevoked: (rows, { cause, allocations }, projected) => {
    if (cause.kind === 'superseded' && allocations.length > 0) changeMonth(rows, projected, cause.id, 0);
  },
  CreditsReinstated: (rows, { cause, amount }, projected) => {
    if (cause.kind === 'superseded') changeMonth(rows, projected, cause.id, amount);
  },
};

const onFreePlan = ({ kind }: Row): string => (kind === 'closed' ? kind : 'free');

const customerRow = (customerId: string): Row => ({
  id: freeId(customerId),
  kind: 'none',
  customer_id: customerId,
  plan_id: '',
  subscription_id: '',
  in_force: false,
  ends_at: null,
  unpaid_since: null,
  months: '',
  latest_month: '',
  latest_amount: 0,
  lasting: 0,
});

function putStanding(rows: Fold, { subscriptionId, customerId, standing }: StandingEvent): void {
  const { planId, status, cancelAt } = standing;
  const id = stateId(subscriptionId);
  const before = rows.get(id);
  const after = {
    ...customerRow(customerId),
    id,
    kind: 'state',
    plan_id: planId,
    subscription_id: subscriptionId,
    in_force: status !== 'paused' && status !== 'incomplete',
    ends_at: hasEnded(status) ? endOf(standing) : cancelAt,
    unpaid_since: lapsesFrom(standing),
  };
  rows.set(id, after);
  if (before !== undefined) countLasting(rows, before, -1);
  countLasting(rows, after, 1);
}

/** Adds to the customer's row, which is there from the first subscription on, whatever comes of it. */
function countLasting(rows: Fold, { customer_id, in_force, ends_at, unpaid_since }: Row, change: number): void {
  const counts = in_force && ends_at === null && unpaid_since === null;
  const row = rows.get(freeId(customer_id)) ?? customerRow(customer_id);
  rows.set(row.id, { ...row, lasting: row.lasting + (counts ? change : 0) });
}

/** Notes what a free plan gives for the month that begins at `start`: nothing where it was withdrawn. */
function changeMonth(rows: Fold, { recorded }: Projected, start: Instant, amount: number): void {
  const { customer_id: customerId } = ownerOf(recorded);
  const row = rows.get(freeId(customerId)) ?? customerRow(customerId);
  const months = new Map(monthsIn(row.months));
  if (amount === 0) months.delete(monthOf(start));
  else months.set(monthOf(start), amount);
  const newest = [...months].sort(([a], [b]) => (a < b ? -1 : 1)).slice(-REMEMBERED);
  const [latest_month, latest_amount] = newest.at(-1) ?? ['', 0];
  const text = newest.map(([month, credits]) => ` ${month}=${String(credits)};`).join('');
  rows.set(row.id, { ...row, kind: onFreePlan(row), months: text, latest_month, latest_amount });
}

const monthsIn = (text: string): readonly (readonly [string, number])[] =>
  [...text.matchAll(/ (\d{4}-\d{2})=(\d+);/g)].map(([, month = '', amount = '']) => [month, Number(amount)]);

/** The rows that an event changes. */
function rowIdsOf({ event, recorded }: Projected): readonly string[] {
  if (event.type === 'SubscriptionStarted') return [freeId(event.customerId)];
  if ('standing' in event) return [stateId(event.subscriptionId), freeId(event.customerId)];
  const isMonth =
    event.type === 'CreditsGranted'
      ? event.term?.kind === 'free'
      : (event.type === 'CreditsRevoked' || event.type === 'CreditsReinstated') && event.cause.kind === 'superseded';
  return isMonth || event.type === 'AccountClosed' ? [freeId(ownerOf(recorded).customer_id)] : [];
}

class AllowancesWriter implements ProjectionWriter<LedgerEvent> {
  readonly #table: TableWriter<typeof allowances>;

  constructor(table: (name: string) => string) {
    this.#table = new TableWriter(allowances, table(allowances.name));
  }

  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    const changing = batch
      .map((projected) => ({ projected, ids: rowIdsOf(projected) }))
      .filter(({ ids }) => ids.length > 0);
    const rows: Fold = new Map();
    const load = async (ids: readonly string[]): Promise<void> => {
      const missing = [...new Set(ids)].filter((id) => !rows.has(id)).map((id) => ({ id }));
      if (missing.length === 0) return;
      for (const row of await this.#table.withKeys(transaction, missing)) rows.set(row.id, row);
    };
    await load(changing.flatMap(({ ids }) => ids));
    // Where a subscription is another customer's now, it is no longer counted with the one before.
    await load([...rows.values()].map((row) => freeId(row.customer_id)));
    for (const { projected } of changing) dispatch(handlers, rows, projected);
    await this.#table.put(transaction, [...rows.values()]);
  }
}

/** The months of credits that the scheduler has to grant. */
export const allowancesProjection: LedgerProjection = {
  name: 'allowances',
  version: 7,
  categories: ['subscription', 'account'],
  tables: [allowances],
  handlers,
  open: (table) => new AllowancesWriter(table),
  oracle: allowancesOracle,
};
