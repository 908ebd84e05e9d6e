import { expect, it } from '@jest/globals';
import { joined } from '#consuming/batches.js';
import { InMemoryEventStore } from '#event-store/in-memory.js';
import { positionOf, START, type Position, type RecordedEvent } from '#event-store/port/event-store.js';
import { Life, SkewedClock, VirtualTime } from '../../test/simulation/virtual-time.js';
import { ReaderGroup } from './reader-group.js';

const PAGE = 2_000;
const decoded = {};

/** A log of empty events that grows when it is told to, and counts who reads it. */
class CountingLog extends InMemoryEventStore {
  readonly #waiting = new Set<() => void>();
  #head = 0;
  subscriptions = 0;
  open = 0;
  read = 0;
  broken = false;

  grow(events: number): void {
    this.#head += events;
    for (const wake of this.#waiting) wake();
  }

  override async *subscribe(after: Position, signal: AbortSignal): AsyncIterable<readonly RecordedEvent[]> {
    this.subscriptions += 1;
    this.open += 1;
    try {
      for (let from = Number(after); !signal.aborted;) {
        await Promise.resolve();
        if (this.broken) throw new Error('broken');
        const size = Math.min(PAGE, this.#head - from);
        if (size > 0) {
          this.read += size;
          const first = from + 1;
          from += size;
          yield Array.from(
            { length: size },
            (_, index) =>
              ({ position: positionOf(first + index), stream: 'account-a', data: '', metadata: '' }) as RecordedEvent,
          );
        } else {
          await new Promise<void>((resolve) => {
            this.#waiting.add(resolve);
            signal.addEventListener('abort', () => resolve(), { once: true });
          });
        }
      }
    } finally {
      this.open -= 1;
    }
  }
}

/** A group over a log, in virtual time. */
class World {
  readonly time = new VirtualTime();
  readonly clock = new SkewedClock(this.time, () => 0, new Life(), 1);
  readonly log = new CountingLog();
  decoded = 0;
  readonly group = new ReaderGroup<object>({
    store: this.log,
    clock: this.clock,
    decode: () => {
      this.decoded += 1;
      return decoded;
    },
  });
  readonly ending = new AbortController();

  /** Follows the log as a projection that takes `paceMs` for a batch. */
  member(paceMs: number | (() => number), after = START, signal = this.ending.signal) {
    const member = { seen: 0, at: after, done: Promise.resolve() };
    const follow = async (): Promise<void> => {
      for await (const batch of joined(this.group.follow(after, signal), 2 * PAGE)) {
        for (const projected of batch) {
          const { position } = projected.recorded;
          // In order, and without a gap.
          if (Number(position) !== Number(member.at) + 1) throw new Error(`${position} after ${member.at}`);
          if (projected.event !== decoded) throw new Error('not decoded');
          member.at = position;
          member.seen += 1;
        }
        await this.clock.sleep(typeof paceMs === 'number' ? paceMs : paceMs());
      }
    };
    member.done = follow();
    member.done.catch(() => undefined); // awaited by the test that breaks the log
    return member;
  }

  within(ms: number, isOver: () => boolean): Promise<boolean> {
    return this.time.run(this.time.now + ms, isOver);
  }

  async end(members: readonly { readonly done: Promise<void> }[]): Promise<void> {
    this.ending.abort();
    let ended = false;
    const done = Promise.all(members.map((member) => member.done)).then(() => (ended = true));
    await this.within(2 * 3_600_000, () => ended && this.log.open === 0);
    expect([ended, this.log.open]).toEqual([true, 0]);
    await done;
  }
}

it('reads and decodes each event once for all members, at the pace of the slowest', async () => {
  const world = new World();
  world.log.grow(100_000);
  const members = [1, 20, 300].map((pace) => world.member(pace));
  let ahead = 0;
  const isOver = (): boolean => {
    ahead = Math.max(ahead, ...members.map(({ seen }) => seen - (members.at(-1)?.seen ?? 0)));
    return members.every(({ seen }) => seen === 100_000);
  };
  expect(await world.within(60_000, isOver)).toBe(true);
  expect([world.log.subscriptions, world.log.read, world.decoded]).toEqual([1, 100_000, 100_000]);
  expect(ahead).toBeLessThanOrEqual(16_000);
  await world.end(members);
});

it('waits a second for one that is stuck, which then catches up alone and joins again', async () => {
  const world = new World();
  world.log.grow(100_000);
  let pace = 3_600_000;
  const stuck = world.member(() => pace);
  const others = [world.member(1), world.member(2)];
  expect(await world.within(3_000, () => others.every(({ seen }) => seen === 100_000))).toBe(true);
  expect(stuck.seen).toBeLessThan(10_000);
  pace = 1;
  expect(await world.within(2 * 3_600_000, () => stuck.seen === 100_000)).toBe(true);
  const alone = world.log.subscriptions;
  expect(alone).toBeGreaterThan(1);
  expect(world.log.open).toBe(1);
  world.log.grow(10);
  const all = [stuck, ...others];
  expect(await world.within(1_000, () => all.every(({ seen }) => seen === 100_010))).toBe(true);
  expect([world.log.subscriptions, world.log.open]).toEqual([alone, 1]);
  await world.end(all);
});

it('lets nobody wait at the end of the log, whoever is stuck', async () => {
  const world = new World();
  const stuck = world.member(3_600_000);
  const quick = world.member(0);
  for (let step = 1; step <= 200; step += 1) {
    world.log.grow(100);
    expect(await world.within(0, () => quick.seen === step * 100)).toBe(true);
  }
  expect(stuck.seen).toBe(100);
  await world.end([stuck, quick]);
});

it('goes on with whoever is furthest; who is behind comes after, and then shares', async () => {
  const world = new World();
  world.log.grow(50_000);
  const behind = world.member(1);
  await world.within(0, () => behind.seen > 0);
  const ahead = world.member(1, positionOf(49_000));
  expect(await world.within(0, () => ahead.at === positionOf(50_000))).toBe(true);
  expect(await world.within(10_000, () => behind.seen === 50_000)).toBe(true);
  const before = world.log.read;
  world.log.grow(1_000);
  expect(await world.within(1_000, () => behind.seen === 51_000 && ahead.at === behind.at)).toBe(true);
  expect([world.log.read - before, world.log.open]).toEqual([1_000, 1]);
  await world.end([behind, ahead]);
});

it('lets a member go at any time, and ends its subscription with the last', async () => {
  const world = new World();
  world.log.grow(100_000);
  const leaving = new AbortController();
  const gone = world.member(500, START, leaving.signal);
  const stays = world.member(1);
  await world.within(1_000, () => gone.seen > 0);
  leaving.abort();
  expect(await world.within(2_000, () => stays.seen === 100_000)).toBe(true);
  await world.end([gone, stays]);
});

it('tells every member of a failure, and reads again for those who come back', async () => {
  const world = new World();
  world.log.grow(10);
  const members = [world.member(0), world.member(0)];
  expect(await world.within(0, () => members.every(({ seen }) => seen === 10))).toBe(true);
  world.log.broken = true;
  world.log.grow(10);
  let failed = 0;
  for (const { done } of members) done.catch(({ message }: Error) => (failed += message === 'broken' ? 1 : 0));
  expect(await world.within(1_000, () => failed === 2)).toBe(true);
  world.log.broken = false;
  const again = world.member(0, positionOf(10));
  expect(await world.within(0, () => again.seen === 10)).toBe(true);
  await world.end([again]);
});
