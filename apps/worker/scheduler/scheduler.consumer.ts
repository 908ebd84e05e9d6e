import { Injectable } from '@nestjs/common';
import { runEvery, runForever } from '#consuming/run-forever.js';
import { Clock } from '#kernel/clock.js';
import { Logger, reportTo } from '../logger.js';
import { Scheduler } from './scheduler.js';

const TICK_MS = 1000;

/** Looks every second for what time has made due. */
@Injectable()
export class SchedulerConsumer {
  constructor(
    private readonly scheduler: Scheduler,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** Works until `signal` aborts; what is under way is finished first. Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    const { clock } = this;
    return runForever({ clock, report: reportTo(this.logger, 'scheduler') }, signal, () =>
      runEvery({ clock, everyMs: TICK_MS }, signal, async () => {
        await this.scheduler.runOnce(signal);
        return true;
      }),
    );
  }
}
