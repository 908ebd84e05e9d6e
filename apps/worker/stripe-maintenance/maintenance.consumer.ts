import { Injectable } from '@nestjs/common';
import { runAlone } from '#consuming/run-alone.js';
import { runEvery } from '#consuming/run-forever.js';
import { Clock } from '#kernel/clock.js';
import { Database } from '#database/database.js';
import { Logger, reportTo } from '../logger.js';

const TICK_MS = 1000;
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
    const { clock, database } = this;
    const report = reportTo(this.logger, 'stripe-maintenance');
    return runAlone('stripe-maintenance', { database, clock, report }, signal, (locked) =>
      runEvery({ clock, everyMs: TICK_MS, longestMs: LONGEST_MS }, locked, () => this.#runAll(locked)),
    );
  }

  async #runAll(signal: AbortSignal): Promise<boolean> {
    for (const task of this.tasks.all) if (!(await task.runOnce(signal))) return false;
    return true;
  }
}
