import { describe, expect, test } from '@jest/globals';
import type { AccountCommand } from '#ledger/account/commands.js';
import { InMemoryEventStore, InMemoryLog, InMemorySnapshotStore } from '../in-memory.js';
import { START, type AppendRequest, type AppendResult, type EventPlace } from '../port/event-store.js';
import { KeyIndex } from '../port/key-index.js';
import { consume, grant, hold } from '../../../test/support/ledger/account-commands.js';
import { clock, expectSound, kinds, process, request, settled } from '../../../test/support/ledger/account-process.js';

type Outcome = Awaited<ReturnType<ReturnType<typeof process>['execute']>>;

/** A repetition is answered with the same events, each with its own position: at or before the position of the first answer. */
function replayOf(first: Outcome): unknown {
  if (first.kind !== 'recorded') return first;
  return {
    ...first,
    replayed: true,
    events: first.events.map((event) => ({ ...event, position: expect.stringMatching(/^\d{19}$/) })),
  };
}

describe('a lane', () => {
  test('answers what it appends together with one position, and a repetition with its own', async () => {
    const log = new InMemoryLog();
    const handler = process(new InMemoryEventStore(log));
    const commands = Array.from({ length: 5 }, (_, i) => request(grant(1), `g${String(i)}`));
    const positionsOf = (outcomes: readonly Outcome[]): string[] =>
      outcomes.map((outcome) => (outcome.kind === 'recorded' ? (outcome.events.at(-1)?.position ?? '') : outcome.kind));
    const first = positionsOf(await Promise.all(commands.map((command) => handler.execute(command))));
    expect(handler.statistics.batches).toBe(1);
    expect(new Set(first)).toEqual(new Set([log.events.at(-1)?.position]));
    const again = process(new InMemoryEventStore(log));
    const own = positionsOf(await Promise.all(commands.map((command) => again.execute(command))));
    expect(own).toEqual(log.events.slice(1).map(({ position }) => position));
  });

  test('lets exactly 100 of 1,000 concurrent consumptions of 1 through on an account with 100', async () => {
    const store = new InMemoryEventStore();
    const handler = process(store);
    await handler.execute(request(grant(100), 'g'));
    const outcomes = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => handler.execute(request(consume(1), `c${String(i)}`))),
    );
    expect(kinds(outcomes)).toEqual({ recorded: 100, refused: 900 });
    expect((await settled(store)).balance).toEqual({ available: 0, held: 0, debt: 0 });
    expect(handler.statistics.batches).toBeLessThan(10);
    await expectSound(store);
  });

  test('refuses early over its bounds and records nothing of what it refused', async () => {
    const store = new InMemoryEventStore();
    const handler = process(store, { limits: { laneLength: 10 } });
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, (_, i) => handler.execute(request(grant(1), `g${String(i)}`))),
    );
    expect(kinds(outcomes)).toEqual({ recorded: 10, overloaded: 20 });
    await handler.drain();
    expect((await settled(store)).balance.available).toBe(10);
    expect(handler.statistics.waiting).toBe(0);
  });

  test('lets the commands of a batch go on when one meets a bug', async () => {
    const store = new InMemoryEventStore();
    const handler = process(store);
    const broken = { type: 'NoSuchCommand' } as unknown as AccountCommand;
    const [good, bad, after] = await Promise.allSettled([
      handler.execute(request(grant(5), 'a')),
      handler.execute(request(broken, 'b')),
      handler.execute(request(consume(2), 'c')),
    ]);
    expect([good.status, bad.status, after.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await settled(store)).balance.available).toBe(3);
  });

  test('knows a hold that an earlier command of the same batch has closed', async () => {
    const handler = process(new InMemoryEventStore());
    await handler.execute(request(grant(50), 'g'));
    const placed = await handler.execute(request(hold(50), 'h'));
    const event = placed.kind === 'recorded' ? placed.events[0]?.event : undefined;
    const holdId = event?.type === 'CreditsHeld' ? event.holdId : '';
    const outcomes = await Promise.all([
      handler.execute(request({ type: 'ReleaseHold', holdId }, 'r')),
      handler.execute(request({ type: 'CaptureHold', holdId, amount: null, final: true }, 'c')),
      handler.execute(request({ type: 'ExtendHold', holdId, expiresInSeconds: 60 }, 'e')),
    ]);
    expect(outcomes[0].kind).toBe('recorded');
    expect(outcomes.slice(1)).toEqual([1, 2].map(() => ({ kind: 'refused', refusal: { rejected: 'hold_not_open' } })));
  });

  test('writes no batch larger than its bytes', async () => {
    const store = new InMemoryEventStore();
    const handler = process(store, { limits: { batchBytes: 4_000 } });
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, i) => handler.execute(request(grant(1), `g${String(i)}`))),
    );
    expect(kinds(outcomes)).toEqual({ recorded: 100 });
    expect(handler.statistics.batches).toBeGreaterThan(10);
    await expectSound(store);
  });
});

describe('a key', () => {
  test('used 50 times at once has one effect and 50 equal answers', async () => {
    const store = new InMemoryEventStore();
    const handler = process(store);
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => handler.execute(request(grant(7), 'same'))));
    expect(kinds(outcomes)).toEqual({ recorded: 1, replayed: 49 });
    expect(new Set(outcomes.map((outcome) => JSON.stringify({ ...outcome, replayed: null }))).size).toBe(1);
    expect((await settled(store)).balance.available).toBe(7);
  });

  test('gives the first answer again after a restart, after much else, and in another process', async () => {
    const store = new InMemoryEventStore();
    const handler = process(store);
    const first = await handler.execute(request(grant(7), 'first'));
    for (let i = 0; i < 300; i += 1) await handler.execute(request(grant(1), `g${String(i)}`));
    for (const again of [handler, process(store)]) {
      expect(await again.execute(request(grant(7), 'first'))).toEqual(replayOf(first));
    }
    expect((await settled(store)).balance.available).toBe(307);
  });

  test('is known also when the command would be refused by now', async () => {
    const store = new InMemoryEventStore();
    const handler = process(store);
    await handler.execute(request(grant(100), 'g'));
    const first = await handler.execute(request(consume(1), 'c'));
    for (let i = 0; i < 99; i += 1) await handler.execute(request(consume(1), `c${String(i)}`));
    for (const again of [handler, process(store)]) {
      expect(await again.execute(request(consume(1), 'c'))).toEqual(replayOf(first));
    }
  });

  test('is known also when it would be refused in a batch that records something else', async () => {
    const store = new InMemoryEventStore();
    const handler = process(store);
    await handler.execute(request(grant(100), 'g'));
    const first = await handler.execute(request(consume(100), 'old'));
    for (let i = 0; i < 40; i += 1) await handler.execute(request(grant(1), `g${String(i)}`));
    const [again, other] = await Promise.all([
      handler.execute(request(consume(100), 'old')),
      handler.execute(request(grant(1), 'new')),
    ]);
    expect(again).toEqual(replayOf(first));
    expect(kinds([other])).toEqual({ recorded: 1 });
  });

  test('refused leaves the key free for the next command of the same batch', async () => {
    const handler = process(new InMemoryEventStore());
    const outcomes = await Promise.all([
      handler.execute(request(consume(10), 'k')),
      handler.execute(request(grant(5), 'g')),
      handler.execute(request(consume(5), 'k')),
    ]);
    expect(kinds(outcomes)).toEqual({ refused: 1, recorded: 2 });
  });

  test('with another body is refused, at once and later', async () => {
    const store = new InMemoryEventStore();
    const handler = process(store);
    const outcomes = await Promise.all([
      handler.execute(request(grant(7), 'k')),
      handler.execute(request(grant(8), 'k')),
    ]);
    expect(kinds(outcomes)).toEqual({ recorded: 1, key_reused: 1 });
    expect(await process(store).execute(request(grant(9), 'k'))).toEqual({ kind: 'key_reused' });
  });

  test('of another origin is another key', async () => {
    const store = new InMemoryEventStore();
    const handler = process(store);
    await handler.execute(request(grant(7), 'k'));
    expect(kinds([await handler.execute({ ...request(grant(7), 'k'), origin: 'stripe' })])).toEqual({ recorded: 1 });
  });

  test('that was refused may succeed later', async () => {
    const handler = process(new InMemoryEventStore());
    expect(kinds([await handler.execute(request(consume(1), 'k'))])).toEqual({ refused: 1 });
    await handler.execute(request(grant(1), 'g'));
    expect(kinds([await handler.execute(request(consume(1), 'k'))])).toEqual({ recorded: 1 });
  });
});

/** A store that, like EventStoreDB, cannot say whether an id is anywhere in the log. */
class ForgetfulStore extends InMemoryEventStore {
  override readonly knowsEveryId = false as unknown as true;
  override async append(appended: AppendRequest): Promise<AppendResult> {
    const result = await super.append(appended);
    return result.kind === 'duplicate' ? { kind: 'conflict', actualRevision: -2 } : result;
  }
}

class CountedReads extends ForgetfulStore {
  reads = 0;
  override readStream(...args: Parameters<ForgetfulStore['readStream']>): ReturnType<ForgetfulStore['readStream']> {
    this.reads += 1;
    return super.readStream(...args);
  }
}

/** An index that has seen the log up to `through`. */
class LaggingIndex extends KeyIndex {
  constructor(
    private readonly log: InMemoryLog,
    private readonly share: number,
  ) {
    super();
  }
  override async locate(ids: readonly string[]): Promise<{ places: ReadonlyMap<string, EventPlace>; through: string }> {
    await Promise.resolve();
    const seen = this.log.events.slice(0, Math.floor(this.log.events.length * this.share));
    return {
      places: new Map(seen.filter(({ id }) => ids.includes(id)).map((event) => [event.id, event])),
      through: seen.at(-1)?.position ?? START,
    };
  }
}

test.each([0, 0.3, 1])(
  'old keys are found beside a store that forgets ids, with an index that has seen %d of the log',
  async (share) => {
    const log = new InMemoryLog();
    const keys = new LaggingIndex(log, share);
    const writer = process(new ForgetfulStore(log), { keys });
    const first = await writer.execute(request(grant(7), 'first'));
    const snapshots = new InMemorySnapshotStore();
    for (let i = 0; i < 2_500; i += 1) await writer.execute(request(grant(1), `g${String(i)}`));
    const snapshotting = process(new ForgetfulStore(log), { keys, snapshots });
    for (let i = 0; i < 5; i += 1) await snapshotting.execute(request(grant(1), `h${String(i)}`));
    const later = process(new ForgetfulStore(log), { keys, snapshots });
    expect(await later.execute(request(grant(7), 'first'))).toEqual(replayOf(first));
    expect(await later.execute(request(grant(8), 'g1200', 'other'))).toEqual({ kind: 'key_reused' });
    expect((await settled(new InMemoryEventStore(log))).balance.available).toBe(2_512);
  },
);

test('keys that the index does not have yet are kept in memory: the stream is not searched for every command', async () => {
  const log = new InMemoryLog();
  const share = { seen: 0 };
  const index = new (class extends KeyIndex {
    override locate(ids: readonly string[]): ReturnType<KeyIndex['locate']> {
      return new LaggingIndex(log, share.seen).locate(ids);
    }
  })();
  const store = new CountedReads(log);
  const handler = process(store, { keys: index, limits: { rememberedKeys: 20 } });
  const first = await handler.execute(request(grant(7), 'first'));
  const grants = async (name: string): Promise<number> => {
    const before = store.reads;
    for (let i = 0; i < 150; i += 1) await handler.execute(request(grant(1), `${name}${String(i)}`));
    return store.reads - before;
  };
  expect(await grants('behind')).toBe(0);
  share.seen = 1;
  expect(await grants('caught-up')).toBe(0);
  expect(await handler.execute(request(grant(7), 'first'))).toEqual(replayOf(first));
  expect(await handler.execute(request(grant(8), 'behind3', 'other'))).toEqual({ kind: 'key_reused' });
});

test('keys kept for an index that never comes are bounded', async () => {
  const log = new InMemoryLog();
  const limits = { rememberedKeys: 4 };
  const store = new CountedReads(log);
  const handler = process(store, { keys: new LaggingIndex(log, 0), limits });
  const first = await handler.execute(request(grant(7), 'first'));
  const before = store.reads;
  for (let i = 0; i < 39; i += 1) await handler.execute(request(grant(1), `kept${String(i)}`));
  expect(store.reads).toBe(before);
  for (let i = 0; i < 10; i += 1) await handler.execute(request(grant(1), `too-many${String(i)}`));
  // What was forgotten has to be searched.
  expect(store.reads).toBeGreaterThan(before);
  expect(await handler.execute(request(grant(7), 'first'))).toEqual(replayOf(first));
});

test('a stream assumed to be new is found when it is not', async () => {
  const log = new InMemoryLog();
  const assumed = { ...request(grant(5), 'g'), assumeNew: true };
  const first = await process(new InMemoryEventStore(log)).execute(assumed);
  expect(kinds([first])).toEqual({ recorded: 1 });
  await clock.sleep(5_000);
  expect(await process(new InMemoryEventStore(log)).execute(assumed)).toEqual(replayOf(first));
});
