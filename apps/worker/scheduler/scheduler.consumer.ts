import { Injectable } from '@nestjs/common';
import { Clock } from '#kernel/clock.js';
import { keepRunning } from '../keep-running.js';
import { Logger } from '../logger.js';
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
    return keepRunning('scheduler', { clock: this.clock, logger: this.logger }, signal, async () => {
      await this.scheduler.runOnce(signal);
      await this.clock.sleep(TICK_MS, signal);
    });
  }
}
