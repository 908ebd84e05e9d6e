import { Injectable } from '@nestjs/common';
import { LogFollower } from '#consuming/log-follower.js';
import { Database } from '#database/database.js';
import { EventStore } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { Logger, reportTo } from '../logger.js';
import { Transfers } from './transfers.js';

/** Feeds the log to the transfers between customers. */
@Injectable()
export class TransfersConsumer extends LogFollower {
  constructor(store: EventStore, database: Database, clock: Clock, transfers: Transfers, logger: Logger) {
    super('transfers', transfers, { store, database, clock, report: reportTo(logger, 'transfers') });
  }
}
