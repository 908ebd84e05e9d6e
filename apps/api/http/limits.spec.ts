import { describe, expect, it } from '@jest/globals';
import { Clock } from '#kernel/clock.js';
import { LoadLimit } from './load-limit.js';
import { RateLimit } from './rate-limit.js';

class SetClock extends Clock {
  ms = 0;
  override now(): number {
    return this.ms;
  }
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
  override random(): number {
    return 0;
  }
}

describe('RateLimit', () => {
  it('allows a burst, then the rate, each caller on its own', () => {
    const clock = new SetClock();
    const limit = new RateLimit(10, clock);
    const allowed = (caller: string, times: number): number =>
      Array.from({ length: times }, () => limit.allows(caller)).filter(Boolean).length;
    expect(allowed('a', 50)).toBe(20);
    expect(allowed('b', 5)).toBe(5);
    clock.ms = 500;
    expect(allowed('a', 50)).toBe(5);
    clock.ms = 100_000;
    expect(allowed('a', 50)).toBe(20);
    clock.ms = 0;
    expect(allowed('a', 50)).toBe(0);
  });
});

describe('LoadLimit', () => {
  it('turns away what does not fit, but never a request that comes alone', () => {
    const load = new LoadLimit(10);
    expect([load.enter(500), load.enter(1)]).toEqual([true, false]);
    load.leave(500);
    expect([load.enter(9), load.enter(2), load.enter(1), load.inFlight]).toEqual([true, false, true, 10]);
  });

  it('lets nothing in when it is closed, and what is under way go on', () => {
    const load = new LoadLimit(10);
    load.enter(1);
    load.close();
    expect([load.enter(1), load.inFlight]).toEqual([false, 1]);
    load.leave(1);
    expect([load.enter(1), load.inFlight]).toEqual([false, 0]);
  });
});
