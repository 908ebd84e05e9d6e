import { Injectable } from '@nestjs/common';
import { runEvery, runForever } from '#consuming/run-forever.js';
import { Clock } from '#kernel/clock.js';
import { Database } from '#database/database.js';
import { whileLocked } from '#database/lock.js';
import { Logger, reportTo } from '../logger.js';

const TICK_MS = 1000;
const LOCK_POLL_MS = 1000;
const LONGEST_MS = 60_000;

/** Something that has to be asked of Stripe now and then; false when Stripe did not answer. */
export type Errand = { runOnce(signal: AbortSignal): Promise<boolean> };

/** Token of the errands there are; none where Stripe must not be called. */
export abstract class Errands {
  abstract readonly all: readonly Errand[];
}

/** Runs errands to Stripe beside everything else: while Stripe is away they wait, ever longer, and nobody waits for them. */
@Injectable()
export class ErrandsConsumer {
  constructor(
    readonly database: Database,
    readonly clock: Clock,
    private readonly errands: Errands,
    private readonly logger: Logger,
  ) {}

  /** Works until `signal` aborts; what is under way is finished first. Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    const { clock, database: db } = this;
    return runForever({ clock, report: reportTo(this.logger, 'errands') }, signal, async () => {
      await whileLocked('errands', { db, clock, pollMs: LOCK_POLL_MS }, signal, (locked) =>
        runEvery({ clock, everyMs: TICK_MS, longestMs: LONGEST_MS }, locked, () => this.#runAll(locked)),
      );
    });
  }

  async #runAll(signal: AbortSignal): Promise<boolean> {
    for (const errand of this.errands.all) if (!(await errand.runOnce(signal))) return false;
    return true;
  }
}
