import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { InMemoryEventStore, InMemoryLog } from '../in-memory.js';
import { CommandHandler } from './command-handler.js';
import type { Codec, CommandOutcome, CommandRequest } from './command.js';
import { START, dataOf, type AppendRequest, type AppendResult, type EncodedEvent } from '../port/event-store.js';
import { KeyIndex } from '../port/key-index.js';
import type { Decider, Refused } from '#kernel/decider.js';
import { ManualClock } from '../../../test/support/worlds/manual-clock.js';

const stream = 'account-notes';
const MOST = 6_000;
const BATCH = 3_000;

/** Records `pages` events of `letters` letters each, which say how many pages were there before. */
type Note = { readonly type: 'Note'; readonly pages: number; readonly letters: number };
type Page = { readonly type: 'PageNoted'; readonly before: number; readonly text: string };
type Refusal = Refused<'full'>;
type Outcome = CommandOutcome<Page, { readonly pages: number }, Refusal>;

const shelf = (room: number): Decider<Note, Page, { readonly pages: number }, Refusal> => ({
  category: 'account',
  initial: () => ({ pages: 0 }),
  decide: ({ pages: before }, { pages, letters }) =>
    before + pages > room
      ? { rejected: 'full' }
      : Array.from({ length: pages }, (_none, index) => ({
          type: 'PageNoted',
          before: before + index,
          text: 'é'.repeat(letters),
        })),
  evolve: ({ pages }) => ({ pages: pages + 1 }),
  fork: (state) => state,
  merge: (state) => state,
});

const codec: Codec<Page> = {
  decode: (stored) => ({ type: 'PageNoted', ...(dataOf(stored) as Omit<Page, 'type'>) }),
  schemaVersionOf: () => 1,
  dataToStore: ({ before, text }) => ({ before, text }),
};

class SmallStore extends InMemoryEventStore {
  override readonly maxAppendBytes: number;
  readonly appends: AppendRequest[] = [];

  constructor(log = new InMemoryLog(), maxAppendBytes = MOST) {
    super(log);
    this.maxAppendBytes = maxAppendBytes;
  }

  override append(request: AppendRequest): Promise<AppendResult> {
    this.appends.push(request);
    return super.append(request);
  }
}

/** Like EventStoreDB it does not know every id. */
class SmallForgetfulStore extends SmallStore {
  override readonly knowsEveryId = false as unknown as true;
}

const emptyIndex = new (class extends KeyIndex {
  override locate(): ReturnType<KeyIndex['locate']> {
    return Promise.resolve({ places: new Map(), through: START });
  }
})();

const handlerOver = (store: SmallStore, room = Infinity) =>
  new CommandHandler(shelf(room), {
    store,
    snapshots: null,
    keys: store instanceof SmallForgetfulStore ? emptyIndex : null,
    clock: new ManualClock(Date.parse('2026-01-01T00:00:00.000Z')),
    codec,
    limits: { batchBytes: BATCH },
  });

const note = (key: string, pages: number, letters: number): CommandRequest<Note> => ({
  stream,
  command: { type: 'Note', pages, letters },
  key,
  origin: 'api',
  fingerprint: null,
  actor: 'key:test',
  causationId: null,
  correlationId: 'req_1',
});

const bytesOf = (store: SmallStore, events: readonly EncodedEvent[]): number =>
  events.reduce((sum, event) => sum + store.sizeOf(event), 0);
const keyOf = ({ metadata }: EncodedEvent): string => (JSON.parse(metadata) as { commandKey: string }).commandKey;
const kindsOf = (outcomes: readonly Outcome[]): string[] => outcomes.map(({ kind }) => kind);
const keysAppended = ({ appends }: SmallStore): string[][] =>
  appends.map(({ events }) => [...new Set(events.map((event) => keyOf(event)))]);

describe.each([
  ['knows every id', SmallStore],
  ['forgets ids', SmallForgetfulStore],
])('what is appended at once, to a store that %s', (_name, Store) => {
  it('leaves a command that does not fit for the next append, and those behind it too', async () => {
    const store = new Store();
    const notes = [note('a', 2, 500), note('b', 2, 500), note('c', 1, 1)];
    const handler = handlerOver(store);
    const outcomes = await Promise.all(notes.map((each) => handler.execute(each)));
    expect(kindsOf(outcomes)).toEqual(['recorded', 'recorded', 'recorded']);
    expect(keysAppended(store)).toEqual([['a'], ['b', 'c']]);
    expect(handler.statistics).toMatchObject({ batches: 2, commands: 3, events: 5, waiting: 0 });
  });

  it('decides what was left on the state after the append before it', async () => {
    const handler = handlerOver(new Store(), 3);
    const notes = [note('a', 2, 500), note('b', 2, 500), note('c', 1, 500)];
    const outcomes = await Promise.all(notes.map((each) => handler.execute(each)));
    expect(kindsOf(outcomes)).toEqual(['recorded', 'refused', 'recorded']);
  });

  it('is a command alone when that is larger than a batch', async () => {
    const store = new Store();
    const handler = handlerOver(store);
    const notes = [note('a', 1, 1), note('large', 4, 500), note('c', 1, 1)];
    const outcomes = await Promise.all(notes.map((each) => handler.execute(each)));
    expect(kindsOf(outcomes)).toEqual(['recorded', 'recorded', 'recorded']);
    expect(keysAppended(store)).toEqual([['a'], ['large'], ['c']]);
    expect(bytesOf(store, store.appends[1]?.events ?? [])).toBeGreaterThan(BATCH);
  });

  it('is nothing of a command that is too large for the store: its key stays free, the others go on', async () => {
    const store = new Store();
    const handler = handlerOver(store);
    expect(await handler.execute(note('large', 6, 500))).toEqual({ kind: 'too_large' });
    const notes = [note('a', 1, 1), note('large', 6, 500), note('c', 1, 1)];
    const outcomes = await Promise.all(notes.map((each) => handler.execute(each)));
    expect(kindsOf(outcomes)).toEqual(['recorded', 'too_large', 'recorded']);
    expect(keysAppended(store)).toEqual([['a', 'c']]);
    expect((await handler.load(stream)).state).toEqual({ pages: 2 });
    expect(kindsOf([await handler.execute(note('large', 1, 500))])).toEqual(['recorded']);
  });

  it('stays within the bounds, in order, whatever the commands record', async () => {
    const notes = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 700 })), {
      minLength: 1,
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(notes, async (wanted) => {
        const store = new Store();
        const handler = handlerOver(store);
        const outcomes = await Promise.all(
          wanted.map(([pages, letters], index) => handler.execute(note(String(index), pages, letters))),
        );
        for (const { events } of store.appends) {
          const own = new Set(events.map((event) => keyOf(event)));
          expect(bytesOf(store, events)).toBeLessThanOrEqual(own.size === 1 ? MOST : BATCH);
        }
        const logged = await store.readStream(stream, 0, 1_000);
        expect(logged.map((event) => (dataOf(event) as { before: number }).before)).toEqual([...logged.keys()]);
        const recorded = outcomes.flatMap((outcome, index) =>
          outcome.kind === 'recorded' ? outcome.events.map(({ id }) => [String(index), id]) : [],
        );
        expect(logged.map((event) => [keyOf(event), event.id])).toEqual(recorded);
        for (const [index, { kind }] of outcomes.entries()) {
          const [pages, letters] = wanted[index] ?? [0, 0];
          if (pages === 0) expect(kind).toBe('unchanged');
          else if (kind === 'too_large') expect(pages * (2 * letters + 300)).toBeGreaterThan(MOST);
          else expect(kind).toBe('recorded');
        }
      }),
    );
  });
});

it('an old command is known by its key although the store of today would not take it', async () => {
  const log = new InMemoryLog();
  const before = handlerOver(new SmallStore(log, 100_000));
  const first = await before.execute(note('large', 6, 500));
  for (let index = 0; index < 40; index += 1) await before.execute(note(`n${String(index)}`, 1, 1));
  const handler = handlerOver(new SmallStore(log));
  const [beside, again] = await Promise.all([
    handler.execute(note('new', 1, 1)),
    handler.execute(note('large', 6, 500)),
  ]);
  expect(kindsOf([beside])).toEqual(['recorded']);
  expect(again).toMatchObject({ kind: 'recorded', replayed: true });
  const ids = (outcome: Outcome): string[] => (outcome.kind === 'recorded' ? outcome.events.map(({ id }) => id) : []);
  expect(ids(again)).toEqual(ids(first));
});
