import { describe, expect, test } from '@jest/globals';
import { accountDecider } from '#ledger/account/account.js';
import { InMemoryEventStore, InMemoryLog, InMemorySnapshotStore } from '../in-memory.js';
import { OutcomeUnknown, START, StoreUnavailable, type AppendRequest, type AppendResult } from '../port/event-store.js';
import { consume, grant } from '../../../test/support/ledger/account-commands.js';
import { expectSound, kinds, process, request, settled, stream } from '../../../test/support/ledger/account-process.js';

describe('two processes', () => {
  test('writing one account decide again after a conflict and lose nothing', async () => {
    const log = new InMemoryLog();
    const handlers = [process(new InMemoryEventStore(log)), process(new InMemoryEventStore(log))];
    await handlers[0]!.execute(request(grant(100), 'g'));
    const outcomes = await Promise.all(
      Array.from({ length: 300 }, (_, i) => handlers[i % 2]!.execute(request(consume(1), `c${String(i)}`))),
    );
    expect(kinds(outcomes)).toEqual({ recorded: 100, refused: 200 });
    await expectSound(new InMemoryEventStore(log));
  });

  test('never refuse from a stale memory', async () => {
    const log = new InMemoryLog();
    const [one, other] = [process(new InMemoryEventStore(log)), process(new InMemoryEventStore(log))];
    await one.execute(request(grant(1), 'g1'));
    await other.execute(request(consume(1), 'c1'));
    expect(kinds([await other.execute(request(consume(1), 'c2'))])).toEqual({ refused: 1 });
    await one.execute(request(grant(1), 'g2'));
    expect(kinds([await other.execute(request(consume(1), 'c2'))])).toEqual({ recorded: 1 });
  });
});

/** Loses the answer of an append, or the append itself, as often as it is told to. */
class UnsureStore extends InMemoryEventStore {
  losses: ('before' | 'after' | 'unavailable')[] = [];
  override async append(appended: AppendRequest): Promise<AppendResult> {
    const loss = this.losses.shift();
    if (loss === 'before') throw new OutcomeUnknown('no answer');
    if (loss === 'unavailable') throw new StoreUnavailable('gone');
    const result = await super.append(appended);
    if (loss === 'after') throw new OutcomeUnknown('no answer');
    return result;
  }
}

describe('an unknown outcome', () => {
  test.each([[['after']], [['before']], [['after', 'after', 'before']], [['before', 'unavailable', 'after']]] as (
    'before' | 'after' | 'unavailable'
  )[][][])('is settled by the identical append: %p', async (losses) => {
    const store = new UnsureStore();
    const handler = process(store);
    await handler.execute(request(grant(10), 'g'));
    store.losses = [...losses];
    const outcomes = await Promise.all(
      Array.from({ length: 5 }, (_, i) => handler.execute(request(consume(1), `c${String(i)}`))),
    );
    expect(kinds(outcomes)).toEqual({ recorded: 5 });
    expect((await settled(store)).balance.available).toBe(5);
    await expectSound(store);
  });

  test('that stays unknown is told, and the same key settles it', async () => {
    const store = new UnsureStore();
    const handler = process(store);
    await handler.execute(request(grant(10), 'g'));
    store.losses = ['after', ...Array.from({ length: 40 }, () => 'unavailable' as const)];
    expect(await handler.execute(request(consume(1), 'c'))).toEqual({ kind: 'outcome_unknown' });
    store.losses = [];
    expect(kinds([await handler.execute(request(consume(1), 'c'))])).toEqual({ replayed: 1 });
    expect((await settled(store)).balance.available).toBe(9);
  });

  test('is not claimed when nothing was sent', async () => {
    const store = new UnsureStore();
    store.losses = ['unavailable'];
    expect(await process(store).execute(request(grant(10), 'g'))).toEqual({ kind: 'unavailable' });
    expect(await store.head()).toBe(START);
  });
});

describe('snapshots', () => {
  test('shorten the way to the same state', async () => {
    const [store, snapshots] = [new InMemoryEventStore(), new InMemorySnapshotStore()];
    const handler = process(store, { snapshots });
    for (let i = 0; i < 1_500; i += 1)
      await handler.execute(request(i % 3 === 2 ? consume(1) : grant(1), `c${String(i)}`));
    expect(await snapshots.load(stream, accountDecider.snapshot?.version ?? 0)).not.toBeNull();
    const [withSnapshot, without] = [
      await process(store, { snapshots }).load(stream),
      await process(store).load(stream),
    ];
    expect(accountDecider.snapshot?.encode(withSnapshot.state)).toEqual(accountDecider.snapshot?.encode(without.state));
  });

  test('of a log that was rolled back are not believed', async () => {
    const [log, snapshots] = [new InMemoryLog(), new InMemorySnapshotStore()];
    const handler = process(new InMemoryEventStore(log), { snapshots });
    for (let i = 0; i < 1_100; i += 1) await handler.execute(request(grant(1), `g${String(i)}`));
    const restored = new InMemoryLog();
    const event = log.events[0]!;
    restored.append({ stream, expectedRevision: -1, events: [event] });
    expect((await process(new InMemoryEventStore(restored), { snapshots }).load(stream)).revision).toBe(0);
  });
});

test('a stream that contradicts its hashes is not written on', async () => {
  const log = new InMemoryLog();
  await process(new InMemoryEventStore(log)).execute(request(grant(5), 'g'));
  const events = log.streams.get(stream)!;
  events[1] = { ...events[1]!, prevHash: 'f'.repeat(64) };
  await expect(process(new InMemoryEventStore(log)).execute(request(grant(5), 'h'))).rejects.toThrow(
    /does not continue at revision 1/,
  );
});
