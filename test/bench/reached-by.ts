import { setTimeout as sleep } from 'node:timers/promises';
import type { Position } from '#event-store/port/event-store.js';
import { generationsOf } from '#projecting/generations.js';
import type { Database } from '#database/database.js';

/** Waits until so many projections are at `head`; names those that came last. */
export async function reachedBy(db: Database, head: Position, count: number): Promise<string> {
  let slowest = '';
  for (;;) {
    const generations = await generationsOf(db);
    const behind = generations.filter(({ position }) => position < head);
    if (behind.length === 0 && generations.length >= count) return slowest;
    slowest = behind.map(({ name }) => name).join(', ');
    await sleep(50);
  }
}
