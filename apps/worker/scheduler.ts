import type { CommandRequest } from '#event-store/command.js';
import type { Clock } from '#kernel/clock.js';
import { earlier, instantOf, monthAfter, monthOf, type Instant } from '#kernel/instant.js';
import { accountStream, catalogStream, DEFAULT_UNIT, subscriptionStream } from '#kernel/stream-name.js';
import type { AccountCommand } from '#ledger/account-commands.js';
import { dripKey, freeMonthKey } from '#ledger/allowance-keys.js';
import { freePlanOf, type CatalogState } from '#ledger/catalog.js';
import { costOfMonth, endOfMonth, monthsIn, partOf, startOfMonth } from '#ledger/paid-month.js';
import { creditsOfMonth } from '#ledger/period-reduction.js';
import { freeSubscriptionId } from '#ledger/subscription.js';
import type { DueAccount } from '#projections/due-accounts.js';
import type { DueAllowance } from '#projections/due-allowances.js';
import type { LapsedSubscription } from '#projections/subscriptions-queries.js';
import type { Agenda } from './agenda.js';
import { eachBounded } from './bounded.js';
import { refusalOf, TryAgainLater, type LedgerHandlers } from './ledger-handlers.js';

const PAGE = 500;
const CONCURRENCY = 32;
/** How long an account that refused its allowance (it is frozen or closed) is left alone. */
const REFUSED_MS = 300_000;
const REMEMBERED_REFUSALS = 10_000;

/** What one account's work came to, for the log. */
export type SchedulerReport = { readonly stream: string; readonly problem: string };

/**
 * Does what time asks for: records expiries, activations and holds timed out, ends days of grace, grants monthly allowances. Any
 * number of workers may run it at once and after any downtime: an account records each change once, and each month of credits has
 * its key.
 */
export class Scheduler {
  readonly #handlers: LedgerHandlers;
  readonly #agenda: Agenda;
  readonly #clock: Clock;
  readonly #report: (report: SchedulerReport) => void;
  readonly #leftAloneUntil = new Map<string, number>();

  constructor(parts: {
    handlers: LedgerHandlers;
    agenda: Agenda;
    clock: Clock;
    report: (report: SchedulerReport) => void;
  }) {
    this.#handlers = parts.handlers;
    this.#agenda = parts.agenda;
    this.#clock = parts.clock;
    this.#report = parts.report;
  }

  /** Works through everything that is due now, in pages. Ends early, between pages, when `signal` aborts. */
  async runOnce(signal: AbortSignal): Promise<void> {
    const now = instantOf(this.#clock.now());
    await this.#recordDue(now, signal);
    await this.#endGrace(now, signal);
    await this.#grantAllowances(now, signal);
  }

  async #recordDue(now: Instant, signal: AbortSignal): Promise<void> {
    await inPages<DueAccount>(
      signal,
      (after) => this.#agenda.accounts(now, after, PAGE),
      ({ stream }) =>
        this.#guarded(stream, async () => {
          await refusalOf(this.#handlers.account.execute(request(stream, null, { type: 'RecordDue' })));
        }),
    );
  }

  /** Whose payment is missing for longer than the days of grace is on the free plan, if the catalogue has one. */
  async #endGrace(now: Instant, signal: AbortSignal): Promise<void> {
    let catalog: CatalogState | null = null;
    await inPages<LapsedSubscription>(
      signal,
      (after) => this.#agenda.lapsed(now, after, PAGE),
      async ({ customerId }) => {
        catalog ??= (await this.#handlers.catalog.load(catalogStream)).state;
        const free = freePlanOf(catalog);
        if (free === null) return;
        const subscriptionId = freeSubscriptionId(customerId);
        const stream = subscriptionStream(subscriptionId);
        const command = { type: 'StartFreePlan', subscriptionId, customerId, planId: free.id } as const;
        await this.#guarded(stream, async () => {
          await refusalOf(this.#handlers.subscription.execute(request(stream, null, command)));
        });
      },
    );
  }

  async #grantAllowances(now: Instant, signal: AbortSignal): Promise<void> {
    let catalog: CatalogState | null = null;
    await inPages<DueAllowance>(
      signal,
      (after) => this.#agenda.allowances(now, after, PAGE),
      async (due) => {
        if ((this.#leftAloneUntil.get(due.id) ?? 0) > this.#clock.now()) return;
        catalog ??= (await this.#handlers.catalog.load(catalogStream)).state;
        const months = monthsOfCredits(due, catalog, now);
        if (months.length === 0) return this.#leaveAlone(due.id);
        const stream = accountStream(due.customerId, DEFAULT_UNIT);
        await this.#guarded(stream, async () => {
          for (const { key, command } of months) {
            const refusal = await refusalOf(this.#handlers.account.execute(request(stream, key, command)));
            if (refusal !== null) return this.#leaveAlone(due.id);
          }
        });
      },
    );
  }

  #leaveAlone(id: string): void {
    if (this.#leftAloneUntil.size >= REMEMBERED_REFUSALS) this.#leftAloneUntil.clear();
    this.#leftAloneUntil.set(id, this.#clock.now() + REFUSED_MS);
  }

  /** One account's trouble does not keep the others waiting; it stays on the agenda. The store's trouble ends the pass. */
  async #guarded(stream: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof TryAgainLater && !error.ofOneStream) throw error;
      this.#report({ stream, problem: error instanceof Error ? `${error.name}: ${error.message}` : 'unknown' });
    }
  }
}

/** Calls `work` for every item of every page, bounded; a page after the last item of the one before. */
async function inPages<Item>(
  signal: AbortSignal,
  page: (after: Item | null) => Promise<readonly Item[]>,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  for (let after: Item | null = null; !signal.aborted;) {
    const items: readonly Item[] = await page(after);
    await eachBounded(items, CONCURRENCY, work);
    const last = items.at(-1);
    if (last === undefined || items.length < PAGE) return;
    after = last;
  }
}

function request<Command>(stream: string, key: string | null, command: Command): CommandRequest<Command> {
  return {
    stream,
    command,
    key,
    origin: 'scheduler',
    fingerprint: null,
    actor: 'scheduler',
    causationId: null,
    correlationId: key ?? stream,
  };
}

type Month = { readonly key: string; readonly command: AccountCommand };

/**
 * The months of credits that are due. A free plan gives the present calendar month only: months that have wholly passed are not
 * given later. A paid month is always given, so after a while without a worker there may be several. None when the plan gives nothing.
 */
function monthsOfCredits(due: DueAllowance, catalog: CatalogState, now: Instant): readonly Month[] {
  const { paid, planId, subscriptionId } = due;
  const metadata = { plan: planId, subscription: subscriptionId };
  if (paid !== null) return paidMonths(paid, metadata, now);
  const plan = catalog.plans.get(planId)?.item;
  if (plan === undefined || !plan.free || plan.creditsPerMonth === 0) return [];
  const month = monthOf(now);
  const command: AccountCommand = {
    ...grant,
    metadata,
    amount: plan.creditsPerMonth,
    source: 'free_tier',
    effectiveAt: null,
    expiresAt: monthAfter(month),
    costBasis: null,
    paymentReference: null,
  };
  return [{ key: freeMonthKey(planId, month), command }];
}

const grant = { type: 'GrantCredits', priority: 50, description: null } as const;

function paidMonths(
  paid: NonNullable<DueAllowance['paid']>,
  metadata: { readonly plan: string; readonly subscription: string },
  now: Instant,
): readonly Month[] {
  const { period, periodStart, periodEnd, creditsPerMonth, fewer, cost, invoiceId, rolloverCap } = paid;
  const all = monthsIn(periodStart, periodEnd);
  const months: Month[] = [];
  for (let { index } = paid; index < all; index += 1) {
    const monthStart = startOfMonth(periodStart, periodEnd, index);
    if (index > paid.index && monthStart > now) break;
    const amount = creditsOfMonth(creditsPerMonth, fewer, monthStart);
    if (amount === 0) continue;
    const whole = costOfMonth(cost, index, all);
    const command: AccountCommand = {
      ...grant,
      metadata,
      amount,
      source: 'subscription',
      effectiveAt: earlier(monthStart, now),
      expiresAt: endOfMonth(periodStart, periodEnd, index, now),
      costBasis: whole === null ? null : partOf(whole, amount, creditsPerMonth),
      paymentReference: invoiceId,
      ...(rolloverCap === 0 ? {} : { rollover: { cap: rolloverCap, endedAt: monthStart } }),
    };
    months.push({ key: dripKey(period, index), command });
  }
  return months;
}
