import { Injectable } from '@nestjs/common';
import { EventStore } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { decodeEvent } from '#ledger/events.js';
import { projectionsFor } from '#projections/registry.js';
import { runProjections } from '#projecting/runner.js';
import { Database } from '#database/database.js';
import { Logger } from '../logger.js';

/** Keeps every read model up to date with the log. */
@Injectable()
export class ProjectionsConsumer {
  constructor(
    private readonly store: EventStore,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** Works until `signal` aborts; what is under way is finished first. Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    const { store, database: db, clock, logger } = this;
    return runProjections(
      {
        store,
        db,
        clock,
        projections: projectionsFor(store),
        decode: decodeEvent,
        report: ({ kind, ...report }) => {
          logger[kind === 'switched' ? 'info' : kind === 'halted' ? 'error' : 'warn'](report, `projection ${kind}`);
        },
      },
      signal,
    );
  }
}
