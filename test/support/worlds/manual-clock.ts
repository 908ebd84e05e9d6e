import { Clock } from '#kernel/clock.js';

/** A clock that stands still until a test moves it; sleepers wake at once and move it. */
export class ManualClock extends Clock {
  constructor(private ms = Date.parse('2026-10-01T00:01:00.000Z')) {
    super();
  }

  override now(): number {
    return this.ms;
  }

  override async sleep(ms: number): Promise<void> {
    await Promise.resolve();
    this.ms += ms;
  }

  override random(): number {
    return 0.5;
  }

  /** Moves the clock to an RFC 3339 time. */
  set(instant: string): void {
    this.ms = Date.parse(instant);
  }
}
