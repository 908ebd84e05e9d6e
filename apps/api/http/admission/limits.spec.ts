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
  const entered = (max: number, requests: number): LoadLimit => {
    const load = new LoadLimit(max);
    for (let n = 0; n < requests; n += 1) load.enter();
    return load;
  };

  it('turns away what does not fit', () => {
    const load = entered(10, 9);
    expect([load.enter(), load.enter(), load.inFlight]).toEqual([true, false, 10]);
    load.leave(1);
    expect(load.enter()).toBe(true);
  });

  it.each([1, 2, 300, 998, 999, 1_000])('lets work of any size in beside others, with %i places', (max) => {
    for (const requests of [1, max]) {
      const load = entered(max, requests);
      expect([load.grow(999), load.inFlight]).toEqual([true, requests + 999]);
    }
  });

  it('lets nothing in beside work that is larger than the bound', () => {
    const load = entered(10, 2);
    expect([load.grow(20), load.enter(), load.grow(1)]).toEqual([true, false, false]);
    load.leave(20);
    expect([load.grow(20), load.inFlight]).toEqual([true, 22]);
  });

  it('lets nothing in when it is closed, and what is under way go on', () => {
    const load = entered(10, 1);
    load.close();
    expect([load.enter(), load.grow(4), load.inFlight]).toEqual([false, true, 5]);
    load.leave(5);
    expect([load.enter(), load.inFlight]).toEqual([false, 0]);
  });
});
