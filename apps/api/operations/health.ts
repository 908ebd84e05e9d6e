import { Injectable } from '@nestjs/common';
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

/** Looks whether what the process stands on is there. Every check ends within two seconds. */
@Injectable()
export class HealthChecks {
  constructor(
    private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly projections: () => Promise<readonly ProjectionStatus[]>,
    private readonly stripe: () => Promise<StripeHealth>,
  ) {}

  /** Whether commands and queries can be served: the store answers, the database answers, its tables are there. */
  async ready(): Promise<{ readonly ready: boolean; readonly store: Check; readonly database: Check }> {
    const [store, statuses] = await Promise.all([this.#within(this.store.head()), this.#within(this.projections())]);
    const database = statuses.outcome === 'ok' && statuses.value.length === 0 ? 'error' : statuses.outcome;
    return { ready: store.outcome === 'ok' && database === 'ok', store: store.outcome, database };
  }

  async health(): Promise<Health> {
    const [store, statuses, stripe] = await Promise.all([
      this.#within(this.store.head()),
      this.#within(this.projections()),
      this.#within(this.stripe()),
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

  async #within<Value>(
    work: Promise<Value>,
  ): Promise<{ outcome: 'ok'; value: Value } | { outcome: 'error' | 'timeout' }> {
    const ended = new AbortController();
    const late = this.clock.sleep(checkMs, ended.signal).then(() => ({ outcome: 'timeout' as const }));
    const done = work.then((value) => ({ outcome: 'ok' as const, value })).catch(() => ({ outcome: 'error' as const }));
    const first = await Promise.race([done, late]);
    ended.abort();
    return first;
  }
}
