import type { CommandRequest } from '#event-store/writing/command.js';
import { usageStream } from '#kernel/stream-name.js';
import type { FeatureOffer } from '#ledger/usage/offers.js';
import type { UsageCommand } from '#ledger/usage/usage.js';
import type { Step } from './plan.js';
import type { SeededRandom } from './random.js';
import type { World } from './world.js';

/** How often the one feature may be used in the one day of the world. */
export const DAILY_LIMIT = 60;
export const user = usageStream('acme');

const offer: FeatureOffer = {
  known: true,
  freePlanId: 'free',
  plans: new Map([['free', [{ until: null, limits: { day: DAILY_LIMIT } }]]]),
};

/** A use that somebody asked for until it was known how it ended. */
export type AskedUse = {
  readonly key: string;
  readonly quantity: number;
  /** The revisions that were answered: one, however often it was asked. */
  readonly revisions: Set<number>;
  /** How long the stream was when it was asked and when it was refused; null while it was not. */
  refused: { readonly from: number; readonly to: number } | null;
};

/** Callers who use a feature of their plan, each with a key that it repeats until it knows the end. */
export class Users {
  readonly asked: AskedUse[] = [];
  readonly #random: SeededRandom;
  #busy = 0;

  constructor(private readonly world: World) {
    this.#random = world.random.fork(5);
  }

  get idle(): boolean {
    return this.#busy === 0;
  }

  /** Puts the user on the free plan; every process asks for it, as they all may. */
  enter(): void {
    this.#track(this.#pursue({ type: 'EnterFreePlan', planId: 'free' }, null));
  }

  send(step: Extract<Step, { kind: 'use' }>): void {
    const { name: key, quantity } = step;
    const use: AskedUse = { key, quantity, revisions: new Set(), refused: null };
    this.asked.push(use);
    const annotations = { description: null, metadata: {} };
    const said = { feature: 'calls', quantity, usedAt: null, limitCheck: true, offer, graceDays: 3 } as const;
    const command = { type: 'RecordUsage', ...said, ...annotations } as const;
    this.#track(this.#pursue(command, use));
    if (step.twice) this.#track(this.#pursue(command, use));
  }

  #track(work: Promise<void>): void {
    this.#busy += 1;
    work
      .catch((error: unknown) => void this.world.crashes.push(error))
      .finally(() => (this.#busy -= 1))
      .catch(() => undefined);
  }

  async #pursue(command: UsageCommand, use: AskedUse | null): Promise<void> {
    const { time, probes, server } = this.world;
    const request: CommandRequest<UsageCommand> = {
      stream: user,
      command,
      key: use?.key ?? null,
      origin: 'api',
      fingerprint: use === null ? null : String(use.quantity),
      actor: 'user',
      causationId: null,
      correlationId: use?.key ?? 'enter',
    };
    for (let tries = 0; tries < 200; tries += 1) {
      const from = server.log.streams.get(user)?.length ?? 0;
      const handler = this.world.handlersOf(this.#random.between(0, 1))?.usage;
      const outcome = await Promise.race([handler?.execute(request), time.sleep(15_000).then(() => undefined)]);
      switch (outcome?.kind) {
        case 'recorded':
          if (use !== null) for (const { revision } of outcome.events) use.revisions.add(revision);
          if (outcome.replayed) probes.hit('use counted once');
          return;
        case 'refused': {
          const to = server.log.streams.get(user)?.length ?? 0;
          if (outcome.refusal.rejected === 'feature_not_in_plan') break; // not on the plan yet
          probes.hit('limit reached');
          if (use !== null) use.refused = { from, to };
          return;
        }
        case 'unchanged':
          return;
        default:
      }
      await time.sleep(this.#random.between(50, 2_000));
    }
  }
}
