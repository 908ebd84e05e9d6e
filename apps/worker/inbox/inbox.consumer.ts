import { Injectable } from '@nestjs/common';
import { followLog } from '#consuming/follow-log.js';
import { runForever } from '#consuming/run-forever.js';
import { Database } from '#database/database.js';
import { whileLocked } from '#database/lock.js';
import { EventStore, START, type Position, type RecordedEvent } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { Inbox } from './inbox.js';
import { InboxState } from './state.js';
import { Logger, reportTo } from '../logger.js';

const BATCH_MAX = 1000;
const LOCK_POLL_MS = 1000;

/** Feeds the log to the inbox. One worker does; the others wait until its lock is free. */
@Injectable()
export class InboxConsumer {
  /** How far this process has read; START while another one works. */
  position: Position = START;

  constructor(
    private readonly store: EventStore,
    readonly database: Database,
    private readonly inbox: Inbox,
    private readonly state: InboxState,
    readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** Works until `signal` aborts; the batch under way is finished first. Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    return runForever({ clock: this.clock, report: reportTo(this.logger, 'inbox') }, signal, async () => {
      try {
        await whileLocked('inbox', { db: this.database, clock: this.clock, pollMs: LOCK_POLL_MS }, signal, (locked) =>
          this.#consume(locked),
        );
      } finally {
        this.position = START;
      }
    });
  }

  #consume(signal: AbortSignal): Promise<void> {
    const consumer = {
      checkpoint: () => this.state.checkpoint(),
      process: async (checkpoint: Position, batch: readonly RecordedEvent[]) => {
        const saved = await this.inbox.process(checkpoint, batch);
        this.position = batch.at(-1)?.position ?? saved;
        return saved;
      },
    };
    return followLog(this.store, consumer, BATCH_MAX, signal);
  }
}
