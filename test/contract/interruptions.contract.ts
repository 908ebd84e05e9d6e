import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import {
  OutcomeUnknown,
  StoreUnavailable,
  type AppendRequest,
  type AppendResult,
  type EventStore,
  type Position,
} from '#event-store/port/event-store.js';
import { collect, newStream, readToEnd, sampleAppend } from '../support/ledger/sample-events.js';
import type { Contract } from './event-store.contract.js';

const WRITERS = 16;
const INTERRUPTIONS = 3;

type Acknowledged = { readonly request: AppendRequest; readonly position: Position };

/** Repeats the identical append until the store knows that it is stored. */
async function settled(store: EventStore, request: AppendRequest, failures: Set<string>): Promise<Acknowledged> {
  for (;;) {
    let result: AppendResult | null = null;
    try {
      result = await store.append(request);
    } catch (error) {
      if (!(error instanceof OutcomeUnknown || error instanceof StoreUnavailable)) throw error;
      failures.add(error.name);
    }
    if (result?.kind === 'appended') return { request, position: result.position };
    expect(result).toBeNull(); // nobody else writes this stream
    await sleep(20);
  }
}

/** Appends one to four events at a time to a stream of its own, until `signal` aborts. */
async function write(store: EventStore, signal: AbortSignal, failures: Set<string>): Promise<Acknowledged[]> {
  const stream = newStream();
  const written: Acknowledged[] = [];
  for (let next = 0; !signal.aborted;) {
    const prevHash = written.at(-1)?.request.events.at(-1)?.hash;
    const count = 1 + (written.length % 4);
    const request = sampleAppend(stream, next, count, prevHash === undefined ? {} : { prevHash });
    written.push(await settled(store, request, failures));
    next += count;
    await sleep(2);
  }
  return written;
}

/** What every adapter promises while its connections break, or its server is killed and started again. */
export function interruptionContract(contract: Contract): void {
  test('keeps every acknowledged append once, where it said, and delivers everything once and in order', async () => {
    const { interrupt } = contract.log;
    if (interrupt === null) return;
    const { store } = contract;
    const other = await contract.open();
    const before = await store.head();
    const last = sampleAppend(newStream());
    const followed = [0, 30].map((pause) =>
      collect(
        store,
        before,
        (events) => events.at(-1)?.hash === last.events[0]?.hash,
        () => sleep(pause),
      ),
    );
    const stop = new AbortController();
    const failures = new Set<string>();
    const writing = Promise.all(
      Array.from({ length: WRITERS }, (_none, index) => write(index % 2 === 0 ? store : other, stop.signal, failures)),
    );
    for (let index = 0; index < INTERRUPTIONS; index += 1) {
      await sleep(400);
      await interrupt();
    }
    await sleep(400);
    stop.abort();
    const acknowledged = [...(await writing).flat(), await settled(other, last, failures)];

    expect(failures.size).toBeGreaterThan(0); // it did break
    const logged = await readToEnd(await contract.open(), before);
    const hashes = acknowledged.flatMap(({ request }) => request.events.map(({ hash }) => hash));
    expect(logged.map(({ hash }) => hash).sort()).toEqual(hashes.sort());
    const placeOf = new Map(logged.map(({ hash, position }) => [hash, position]));
    for (const { request, position } of acknowledged) expect(placeOf.get(request.events.at(-1)!.hash)).toBe(position);
    const newest = new Map<string, number>();
    for (const { stream, revision } of logged) {
      expect(revision).toBe((newest.get(stream) ?? -1) + 1);
      newest.set(stream, revision);
    }
    for (const events of await Promise.all(followed)) expect(events).toEqual(logged);
  });
}
