import { expect, it } from '@jest/globals';
import { InMemoryEventStore } from '#event-store/in-memory.js';
import { START, type Position, type RecordedEvent } from '#event-store/port/event-store.js';
import { grant } from '../../test/support/ledger/account-commands.js';
import { process, request } from '../../test/support/ledger/account-process.js';
import { followLog } from './follow-log.js';

/** Sees batches of the log, and may fail in the middle of one. */
class Consumer {
  readonly seen: Position[] = [];
  saved = START;

  constructor(private readonly afterBatch: () => void) {}

  checkpoint(): Promise<Position> {
    return Promise.resolve(this.saved);
  }

  process(checkpoint: Position, batch: readonly RecordedEvent[]): Promise<Position> {
    expect(checkpoint).toBe(this.saved);
    this.seen.push(...batch.map(({ position }) => position));
    this.afterBatch();
    this.saved = batch.at(-1)?.position ?? checkpoint;
    return Promise.resolve(this.saved);
  }
}

async function logOf(events: number): Promise<InMemoryEventStore> {
  const store = new InMemoryEventStore();
  const handler = process(store);
  for (let n = 1; n < events; n += 1) await handler.execute(request(grant(1), `g${String(n)}`));
  return store;
}

const positionsOf = async (store: InMemoryEventStore): Promise<readonly Position[]> =>
  (await store.readAll(START, 1_000)).map(({ position }) => position);

it('hands over the whole log in order, in bounded batches, and ends after the batch in which it is told to', async () => {
  const store = await logOf(20);
  const positions = await positionsOf(store);
  const ending = new AbortController();
  const consumer: Consumer = new Consumer(() => {
    if (consumer.seen.length === positions.length) ending.abort();
  });
  await followLog(store, consumer, 7, ending.signal);
  expect(consumer.seen).toEqual(positions);
  expect(consumer.saved).toBe(positions.at(-1));
});

it('goes on at the checkpoint after a failure, with the events that were not saved', async () => {
  const store = await logOf(20);
  const positions = await positionsOf(store);
  const ending = new AbortController();
  let failures = 1;
  const consumer: Consumer = new Consumer(() => {
    if (failures-- > 0) throw new Error('the power fails');
    ending.abort();
  });
  await expect(followLog(store, consumer, 1_000, ending.signal)).rejects.toThrow('the power fails');
  expect(consumer.saved).toBe(START);
  await followLog(store, consumer, 1_000, ending.signal);
  expect(consumer.seen).toEqual([...positions, ...positions]);
});
