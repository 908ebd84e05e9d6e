import { Injectable } from '@nestjs/common';
import { LogFollower } from '#consuming/log-follower.js';
import { Database } from '#database/database.js';
import { EventStore } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { Logger, reportTo } from '../logger.js';
import { Inbox } from './inbox.js';

/** Feeds the log to the inbox. */
@Injectable()
export class InboxConsumer extends LogFollower {
  constructor(store: EventStore, database: Database, clock: Clock, inbox: Inbox, logger: Logger) {
    super('inbox', inbox, { store, database, clock, report: reportTo(logger, 'inbox') });
  }
}
