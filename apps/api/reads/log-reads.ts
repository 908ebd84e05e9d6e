import { Injectable } from '@nestjs/common';
import { EventStore, START, type Position } from '#event-store/port/event-store.js';
import { Clock } from '#kernel/clock.js';
import { instantOf } from '#kernel/instant.js';
import { Problem } from '../http/problem.js';
import type { AsOf, ReadRequest } from './freshness.js';
import { withDeadline } from './with-deadline.js';

const pollMs = 20;

/** For queries of no read model, which read the log itself or what is kept beside it: whatever was answered with a position is in it; only what is still to come is waited for. */
@Injectable()
export class LogReads {
  constructor(
    private readonly store: EventStore,
    private readonly clock: Clock,
  ) {}

  /** How fresh an answer is that is read from now on. Throws the problem `projection_behind` as `reached` does. */
  async asOf({ minPosition, waitMs }: ReadRequest): Promise<AsOf> {
    if (minPosition !== null) await this.reached(minPosition, waitMs);
    return { position: await withDeadline(this.clock, this.store.head()), time: instantOf(this.clock.now()) };
  }

  /** Waits until the log has come to what the request asks for, and to `named`. Throws the problem `projection_behind` as `reached` does. */
  async reachedFor({ minPosition, waitMs }: ReadRequest, named: Position): Promise<void> {
    const last = minPosition !== null && minPosition > named ? minPosition : named;
    if (last !== START) await this.reached(last, waitMs);
  }

  /** Waits until the log has come to a position. Throws the problem `projection_behind` when it has not after `waitMs`. */
  async reached(position: Position, waitMs: number): Promise<void> {
    for (const until = this.clock.now() + waitMs; (await withDeadline(this.clock, this.store.head())) < position;) {
      if (this.clock.now() >= until) throw new Problem('projection_behind');
      await this.clock.sleep(pollMs);
    }
  }
}
