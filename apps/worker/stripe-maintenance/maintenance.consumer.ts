import { Injectable } from '@nestjs/common';
import { runEvery, runForever } from '#consuming/run-forever.js';
import { Clock } from '#kernel/clock.js';
import { Database } from '#database/database.js';
import { whileLocked } from '#database/lock.js';
import { Logger, reportTo } from '../logger.js';

const TICK_MS = 1000;
const LOCK_POLL_MS = 1000;
const LONGEST_MS = 60_000;

/** Work at Stripe that is due now and then. Answers false when Stripe did not answer. */
export type MaintenanceTask = { runOnce(signal: AbortSignal): Promise<boolean> };

/** Injection token of the tasks. There are none where Stripe must not be called. */
export abstract class MaintenanceTasks {
  abstract readonly all: readonly MaintenanceTask[];
}

/** Runs the tasks apart from all other work. While Stripe does not answer, the pauses grow, and nothing else waits. */
@Injectable()
export class MaintenanceConsumer {
  constructor(
    readonly database: Database,
    readonly clock: Clock,
    private readonly tasks: MaintenanceTasks,
    private readonly logger: Logger,
  ) {}

  /** Works until `signal` aborts; what is under way is finished first. Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    const { clock, database: db } = this;
    return runForever({ clock, report: reportTo(this.logger, 'stripe-maintenance') }, signal, async () => {
      await whileLocked('stripe-maintenance', { db, clock, pollMs: LOCK_POLL_MS }, signal, (locked) =>
        runEvery({ clock, everyMs: TICK_MS, longestMs: LONGEST_MS }, locked, () => this.#runAll(locked)),
      );
    });
  }

  async #runAll(signal: AbortSignal): Promise<boolean> {
    for (const task of this.tasks.all) if (!(await task.runOnce(signal))) return false;
    return true;
  }
}
