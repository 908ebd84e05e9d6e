import { Injectable } from '@nestjs/common';
import { EventStore, type Position } from '#event-store/event-store.js';
import { Clock } from '#kernel/clock.js';
import { Problem } from '../http/problems.js';
import { soon } from './soon.js';

const pollMs = 20;

/** For queries that read the log itself: whatever was answered with a position is in it; only what is still to come is waited for. */
@Injectable()
export class LogReads {
  constructor(
    private readonly store: EventStore,
    private readonly clock: Clock,
  ) {}

  /** Waits until the log has come to a position. Throws the problem `projection_behind` when it has not after `waitMs`. */
  async reached(position: Position, waitMs: number): Promise<void> {
    for (const until = this.clock.now() + waitMs; (await soon(this.clock, this.store.head())) < position;) {
      if (this.clock.now() >= until) throw new Problem('projection_behind');
      await this.clock.sleep(pollMs);
    }
  }
}
