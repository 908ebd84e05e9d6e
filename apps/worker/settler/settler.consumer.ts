import { Injectable } from '@nestjs/common';
import { LogFollower } from '#consuming/log-follower.js';
import { Database } from '#database/database.js';
import { EventStore } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { Logger, reportTo } from '../logger.js';
import { Settler } from './settler.js';

/** Feeds the log to the settler. */
@Injectable()
export class SettlerConsumer extends LogFollower {
  constructor(store: EventStore, database: Database, clock: Clock, settler: Settler, logger: Logger) {
    super('settler', settler, { store, database, clock, report: reportTo(logger, 'settler') });
  }
}
