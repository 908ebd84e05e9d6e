import { Injectable } from '@nestjs/common';
import { EventStore, START, type Position } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { joined } from '#projecting/batches.js';
import { ReadDatabase } from '#database/database.js';
import { Inbox } from './inbox.js';
import { InboxState } from './state.js';
import { keepRunning } from '../keep-running.js';
import { whileLocked } from '../locked.js';
import { Logger } from '../logger.js';

const BATCH_MAX = 1000;

/** Feeds the log to the inbox. One worker does; the others wait until its lock is free. */
@Injectable()
export class InboxConsumer {
  /** How far this process has read; START while another one works. */
  position: Position = START;

  constructor(
    private readonly store: EventStore,
    readonly database: ReadDatabase,
    private readonly inbox: Inbox,
    private readonly state: InboxState,
    readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** Works until `signal` aborts; the batch under way is finished first. Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    return keepRunning('inbox', { clock: this.clock, logger: this.logger }, signal, async () => {
      try {
        await whileLocked('inbox', this, signal, (locked) => this.#consume(locked));
      } finally {
        this.position = START;
      }
    });
  }

  async #consume(signal: AbortSignal): Promise<void> {
    let checkpoint = await this.state.checkpoint();
    // The subscription must end with this attempt, also when no further event ever comes.
    const ending = new AbortController();
    const events = this.store.subscribe(checkpoint, AbortSignal.any([signal, ending.signal]));
    try {
      for await (const batch of joined(events, BATCH_MAX)) {
        checkpoint = await this.inbox.process(checkpoint, batch);
        this.position = batch.at(-1)?.position ?? checkpoint;
        if (signal.aborted) return;
      }
    } finally {
      ending.abort();
    }
  }
}
