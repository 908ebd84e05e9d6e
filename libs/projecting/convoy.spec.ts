import { expect, it } from '@jest/globals';
import { positionOf, START, type RecordedEvent } from '#event-store/port/event-store.js';
import { ManualClock } from '../../test/support/manual-clock.js';
import { Life, SkewedClock, VirtualTime } from '../../test/simulation/virtual-time.js';
import { joined } from '#consuming/batches.js';
import { Convoy } from './convoy.js';

const event = (position: number): RecordedEvent => ({ position: positionOf(position) }) as RecordedEvent;

async function* pages(count: number, size: number): AsyncGenerator<readonly RecordedEvent[]> {
  for (let page = 0; page < count; page += 1) {
    await Promise.resolve();
    yield Array.from({ length: size }, (_, index) => event(page * size + index + 1));
  }
}

/** How long one member takes for its pages while another stands still. */
async function timeBeside(
  standing: AsyncIterable<readonly RecordedEvent[]> | null,
  count: number,
  size: number,
): Promise<number> {
  const clock = new ManualClock();
  const convoy = new Convoy(clock);
  if (standing !== null) await convoy.join(START, standing)[Symbol.asyncIterator]().next();
  const started = clock.now();
  let seen = 0;
  for await (const page of convoy.join(START, pages(count, size))) seen += page.length;
  expect(seen).toBe(count * size);
  return clock.now() - started;
}

it('holds back who is far ahead of one that stands still, but never for long', async () => {
  const held = await timeBeside(pages(1, 500), 20, 500);
  expect(held).toBeGreaterThan(500);
  expect(held).toBeLessThanOrEqual(1_500);
});

it('goes on at the pace of the slowest, so that nobody has to read its pages once more', async () => {
  const time = new VirtualTime();
  const clock = new SkewedClock(time, () => 0, new Life(), 1);
  const convoy = new Convoy(clock);
  const [count, size, pace] = [20, 500, 300];
  const seen = { slow: 0, fast: 0 };
  let ahead = 0;
  const slow = async (): Promise<void> => {
    for await (const page of convoy.join(START, pages(count, size))) {
      await clock.sleep(pace);
      seen.slow += page.length;
    }
  };
  const fast = async (): Promise<void> => {
    for await (const page of convoy.join(START, pages(count, size))) {
      seen.fast += page.length;
      ahead = Math.max(ahead, seen.fast - seen.slow);
    }
  };
  const done = Promise.all([slow(), fast()]);
  expect(await time.run(time.now + 60_000, () => seen.slow + seen.fast === 2 * count * size)).toBe(true);
  await done;
  expect(seen).toEqual({ slow: count * size, fast: count * size });
  expect(ahead).toBeLessThanOrEqual(8 * size);
});

it('holds back nobody who is alone, near the others, or at the end of the log', async () => {
  expect(await timeBeside(null, 20, 500)).toBe(0);
  expect(await timeBeside(pages(1, 500), 5, 500)).toBe(0);
  expect(await timeBeside(pages(1, 5), 50, 5)).toBe(0);
});

it('forgets who has left', async () => {
  const convoy = new Convoy(new ManualClock());
  const slow = convoy.join(START, pages(3, 500));
  await slow.next();
  await slow.return(undefined);
  let seen = 0;
  for await (const page of convoy.join(START, pages(20, 500))) seen += page.length;
  expect(seen).toBe(20 * 500);
});

it('waits for nobody whose reader has failed', async () => {
  const clock = new ManualClock();
  const convoy = new Convoy(clock);
  const failing = async (): Promise<void> => {
    for await (const page of joined(convoy.join(START, pages(3, 500)), 500))
      throw new Error(`cannot apply ${String(page.length)} events`);
  };
  await expect(failing()).rejects.toThrow();
  const started = clock.now();
  let seen = 0;
  for await (const page of convoy.join(START, pages(20, 500))) seen += page.length;
  expect([seen, clock.now() - started]).toEqual([20 * 500, 0]);
});
