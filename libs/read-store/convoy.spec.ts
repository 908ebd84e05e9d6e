import { expect, it } from '@jest/globals';
import { positionOf, START } from '#event-store/event-store.js';
import type { RecordedEvent } from '#event-store/event-store.js';
import { ManualClock } from '../../test/support/manual-clock.js';
import { joined } from './batches.js';
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

it('holds back who is far ahead of the slowest, but never for long', async () => {
  const held = await timeBeside(pages(1, 500), 20, 500);
  expect(held).toBeGreaterThan(500);
  expect(held).toBeLessThanOrEqual(20 * 100);
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
