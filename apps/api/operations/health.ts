import { Injectable } from '@nestjs/common';
import type { Logger } from '#config/logger.js';
import type { EventStore } from '#event-store/port/event-store.js';
import type { Clock } from '#kernel/clock.js';
import type { ProjectionStatus } from '#projecting/status.js';

type Check = 'ok' | 'error' | 'timeout';
export type StripeHealth = 'configured' | 'missing' | 'error' | 'timeout';
export type Health = {
  readonly status: 'ok' | 'degraded' | 'error';
  readonly store: Check;
  readonly database: Check;
  readonly stripe: StripeHealth;
  readonly projections: readonly {
    readonly name: string;
    readonly state: string;
    readonly lagSeconds: number;
    /** Why it halted may name customers: that is told to operators, with login. */
    readonly haltedPosition: string | null;
  }[];
};

const checkMs = 2_000;
/** What the process stands on. */
type Part = 'store' | 'database' | 'stripe';

/**
 * Looks whether what the process stands on is there. Every check ends within two seconds. Probes are answered without a reason, since they
 * need no login: it is logged, once until the part answers again.
 */
@Injectable()
export class HealthChecks {
  readonly #failing = new Set<Part>();

  constructor(
    private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly projections: () => Promise<readonly ProjectionStatus[]>,
    private readonly stripe: () => Promise<StripeHealth>,
    private readonly logger: Logger,
  ) {}

  /** Whether commands and queries can be served: the store answers, the database answers, its tables are there. */
  async ready(): Promise<{ readonly ready: boolean; readonly store: Check; readonly database: Check }> {
    const [store, statuses] = await Promise.all([
      this.#within('store', this.store.head()),
      this.#within('database', this.projections()),
    ]);
    const database = statuses.outcome === 'ok' && statuses.value.length === 0 ? 'error' : statuses.outcome;
    return { ready: store.outcome === 'ok' && database === 'ok', store: store.outcome, database };
  }

  async health(): Promise<Health> {
    const [store, statuses, stripe] = await Promise.all([
      this.#within('store', this.store.head()),
      this.#within('database', this.projections()),
      this.#within('stripe', this.stripe()),
    ]);
    const projections = statuses.outcome === 'ok' ? statuses.value.filter(({ role }) => role === 'live') : [];
    const broken = store.outcome !== 'ok' || statuses.outcome !== 'ok';
    const stripeHealth = stripe.outcome === 'ok' ? stripe.value : stripe.outcome;
    const degraded =
      projections.some(({ state }) => state === 'halted') || stripeHealth === 'error' || stripeHealth === 'timeout';
    return {
      status: broken ? 'error' : degraded ? 'degraded' : 'ok',
      store: store.outcome,
      database: statuses.outcome,
      stripe: stripeHealth,
      projections: projections.map(({ name, state, lagSeconds, haltedPosition }) => ({
        name,
        state,
        lagSeconds,
        haltedPosition,
      })),
    };
  }

  async #within<Value>(part: Part, work: Promise<Value>): Promise<Outcome<Value>> {
    const ended = new AbortController();
    const late = this.clock
      .sleep(checkMs, ended.signal)
      .then(() => ({ outcome: 'timeout' as const, reason: `no answer within ${String(checkMs)} ms` }));
    const done = work
      .then((value) => ({ outcome: 'ok' as const, value }))
      .catch((error: unknown) => ({ outcome: 'error' as const, reason: reasonOf(error) }));
    const first = await Promise.race([done, late]);
    ended.abort();
    this.#note(part, first);
    return first;
  }

  #note(part: Part, found: Outcome<unknown>): void {
    if (found.outcome === 'ok') {
      if (this.#failing.delete(part)) this.logger.info({ part }, 'health check passes again');
    } else if (!this.#failing.has(part)) {
      this.#failing.add(part);
      this.logger.warn({ part, reason: found.reason }, 'health check fails');
    }
  }
}

type Outcome<Value> =
  | { readonly outcome: 'ok'; readonly value: Value }
  | { readonly outcome: 'error' | 'timeout'; readonly reason: string };

/** An error of ours says little by itself; what it came of does. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
