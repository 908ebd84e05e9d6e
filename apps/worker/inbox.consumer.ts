import { Injectable } from '@nestjs/common';
import { EventStore, START } from '#event-store/event-store.js';
import type { Position } from '#event-store/event-store.js';
import { Clock } from '#kernel/clock.js';
import { joined } from '#read-store/batches.js';
import { ReadDatabase } from '#read-store/read-database.js';
import type { Session } from '#read-store/read-database.js';
import { Inbox } from './inbox.js';
import { InboxState } from './inbox-state.js';
import { keepRunning } from './keep-running.js';
import { Logger } from './logger.js';

const BATCH_MAX = 1000;
const LOCK_POLL_MS = 1000;

/** Feeds the log to the inbox. One worker does; the others wait until its lock is free. */
@Injectable()
export class InboxConsumer {
  /** How far this process has read; START while another one works. */
  position: Position = START;

  constructor(
    private readonly store: EventStore,
    private readonly database: ReadDatabase,
    private readonly inbox: Inbox,
    private readonly state: InboxState,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** Works until `signal` aborts; the batch under way is finished first. Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    return keepRunning('inbox', { clock: this.clock, logger: this.logger }, signal, async () => {
      const session = await this.database.session('inbox');
      try {
        if (await this.#locked(session, signal)) await this.#consume(signal);
      } finally {
        this.position = START;
        await session.close();
      }
    });
  }

  /** A lost connection loses the lock without a word; then the checkpoint fences. False when `signal` aborts first. */
  async #locked(session: Session, signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      const text = `select pg_try_advisory_lock(hashtextextended('scrip_read/inbox', 0)) as locked`;
      const [row] = await session.query<{ locked: boolean }>({ text });
      if (row?.locked === true) return true;
      await this.clock.sleep(LOCK_POLL_MS, signal);
    }
    return false;
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
