import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import type { CommandRequest } from '#event-store/writing/command.js';
import type { Clock } from '#kernel/clock.js';
import { instantOf, type Instant } from '#kernel/instant.js';
import { accountStream, catalogStream, DEFAULT_UNIT, subscriptionStream, usageStream } from '#kernel/stream-name.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import { freePlanOf, type CatalogState } from '#ledger/catalog.js';
import { freeSubscriptionId } from '#ledger/subscription/subscription.js';
import type { DueAccount } from '#projections/balances/due-accounts.js';
import type { DueAllowance } from '#projections/allowances/due-allowances.js';
import type { LapsedSubscription } from '#projections/subscriptions/queries.js';
import type { DueWork } from './due-work.js';
import { eachBounded } from '#consuming/bounded.js';
import { refusalOf, TryAgainLater } from '../outcomes.js';

const PAGE = 500;
const CONCURRENCY = 32;
/** How long an account that refused its allowance (it is frozen or closed) is left alone. */
const REFUSED_MS = 300_000;
const REMEMBERED_REFUSALS = 10_000;

/** What one account's work came to, for the log. */
export type SchedulerReport = { readonly stream: string; readonly problem: string };

/**
 * Does what time asks for: records expiries, activations and holds timed out, ends days of grace, grants the months of free plans
 * ahead of time. Any number of workers may run it at once and after any downtime: an account records each change once.
 */
export class Scheduler {
  readonly #handlers: LedgerHandlers;
  readonly #dueWork: DueWork;
  readonly #clock: Clock;
  readonly #report: (report: SchedulerReport) => void;
  readonly #leftAloneUntil = new Map<string, number>();

  constructor(parts: {
    handlers: LedgerHandlers;
    dueWork: DueWork;
    clock: Clock;
    report: (report: SchedulerReport) => void;
  }) {
    this.#handlers = parts.handlers;
    this.#dueWork = parts.dueWork;
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
      (after) => this.#dueWork.accounts(now, after, PAGE),
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
      (after) => this.#dueWork.lapsed(now, after, PAGE),
      async ({ customerId }) => {
        catalog ??= (await this.#handlers.catalog.load(catalogStream)).state;
        const free = freePlanOf(catalog);
        if (free === null) return;
        const subscriptionId = freeSubscriptionId(customerId);
        const stream = subscriptionStream(subscriptionId);
        const command = { type: 'StartFreePlan', subscriptionId, customerId, planId: free.id } as const;
        const enter = { type: 'EnterFreePlan', planId: free.id } as const;
        await this.#guarded(stream, async () => {
          await refusalOf(this.#handlers.usage.execute(request(usageStream(customerId), null, enter)));
          await refusalOf(this.#handlers.subscription.execute(request(stream, null, command)));
        });
      },
    );
  }

  /** The present month of a free plan and the next one, which is there when the present one ends, whatever becomes of the worker. */
  async #grantAllowances(now: Instant, signal: AbortSignal): Promise<void> {
    const credits = freeCredits((await this.#handlers.catalog.load(catalogStream)).state);
    await inPages<DueAllowance>(
      signal,
      (after) => this.#dueWork.allowances(now, credits, after, PAGE),
      async (due) => {
        if ((this.#leftAloneUntil.get(due.id) ?? 0) > this.#clock.now()) return;
        const stream = accountStream(due.customerId, DEFAULT_UNIT);
        await this.#guarded(stream, async () => {
          const refusal = await refusalOf(
            this.#handlers.account.execute(request(stream, null, monthsOf(due, credits))),
          );
          if (refusal !== null) this.#leaveAlone(due.id);
        });
      },
    );
  }

  #leaveAlone(id: string): void {
    if (this.#leftAloneUntil.size >= REMEMBERED_REFUSALS) this.#leftAloneUntil.clear();
    this.#leftAloneUntil.set(id, this.#clock.now() + REFUSED_MS);
  }

  /** One account's trouble does not keep the others waiting; it stays due. The store's trouble ends the pass. */
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

/** What a month of each free plan gives. One that is not on sale any more is still given to whom it was started for. */
function freeCredits({ plans }: CatalogState): ReadonlyMap<string, number> {
  const free = [...plans.values()].filter(({ item }) => item.free && item.creditsPerMonth > 0);
  return new Map(free.map(({ item }) => [item.id, item.creditsPerMonth]));
}

function monthsOf(due: DueAllowance, credits: ReadonlyMap<string, number>): AccountCommand {
  const { subscriptionId, planId } = due;
  const amount = credits.get(planId) ?? null;
  const months = due.months.map(({ start, end, isFree }) => ({ start, end, amount: isFree ? amount : null }));
  return { type: 'KeepFreeMonths', subscriptionId, planId, months };
}
