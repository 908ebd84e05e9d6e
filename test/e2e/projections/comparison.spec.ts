import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InMemoryEventStore } from '../../../libs/event-store/in-memory.js';
import type { Position, RecordedEvent } from '#event-store/port/event-store.js';
import { ledgerCodec } from '#ledger/events.js';
import { compareProjections } from '#projecting/comparison/compare.js';
import { digestOf, newSalt, RowDigest } from '#projecting/comparison/row-digest.js';
import { tableDefinition, TableWriter, type Table } from '#projecting/tables.js';
import { document } from '#database/values.js';
import { projections } from '../../../projections/registry.js';
import { ProjectionWorld } from '../../support/worlds/projection-world.js';

const awkward = ['', ' ', 'a,b', '(c)', '"q"', 'back\\slash', 'new\nline', 'tab\t', 'null', 'ü €', '😀', 'a\0b', '\0'];
const table = {
  name: 'awkward',
  visibleTo: 'operators',
  key: ['id'],
  columns: { id: 'bigint', note: 'text?', flag: 'boolean', count: 'int?', tag: 'uuid?', doc: 'text' },
} as const satisfies Table;
const rows = [...awkward, null].map((note, index) => ({
  id: index === 0 ? '0000000000000000000' : String(Number.MAX_SAFE_INTEGER - index).padStart(19, '0'),
  note,
  flag: index % 2 === 0,
  count: index % 3 === 0 ? null : -index,
  tag: index % 3 === 1 ? null : `00000000-0000-5000-8000-${String(index).padStart(12, '0')}`,
  doc: document({ note }),
}));

class CountingStore extends InMemoryEventStore {
  readonly pages: Position[] = [];
  override readAll(after: Position, limit: number): Promise<readonly RecordedEvent[]> {
    this.pages.push(after);
    return super.readAll(after, limit);
  }
}

describe('a comparison of read models with the log', () => {
  let world: ProjectionWorld;
  beforeEach(async () => {
    world = await ProjectionWorld.open();
  });
  afterEach(() => world.close());

  it('adds up rows as the database does, whatever they hold', async () => {
    await world.db.query({ text: `create table awkward ${tableDefinition(table)}` });
    await new TableWriter(table, 'awkward').insert(world.db, rows);
    const salt = await newSalt(world.db);
    const digest = new RowDigest(table, salt);
    const found = (by = salt) => digestOf(world.db, table, 'awkward', by);
    for (const row of rows.toReversed()) digest.add(row);
    expect(digest.value.rows).toBe(rows.length);
    expect(await found()).toEqual(digest.value);
    expect(await found(await newSalt(world.db))).not.toEqual(digest.value);
    await world.db.query({ text: `update awkward set note = 'c' where note = '(c)'` });
    expect(await found()).not.toEqual(digest.value);
    await world.db.query({ text: `update awkward set note = '(c)' where note = 'c'` });
    expect(await found()).toEqual(digest.value);
    const [one, other] = [`note = 'a,b'`, `note = 'null'`];
    await world.db.query({
      text: `update awkward set note = case when ${one} then 'null' else 'a,b' end where ${one} or ${other}`,
    });
    expect(await found()).not.toEqual(digest.value); // the values of each column are still the same
    await world.db.query({ text: `delete from awkward` });
    expect(await found()).toEqual({ rows: 0, sum: 0n });
  });

  it('reads the log once for all that are right, and again for those that are not', async () => {
    for (const [index, description] of awkward.entries())
      await world.writer.run(
        `account-c${String(index)}`,
        { type: 'GrantCredits', amount: 5, source: 'purchase', priority: 50, ...defaults, description },
        '2026-01-01T00:00:00.000Z',
      );
    world.work();
    await world.reached(await world.store.head());
    const store = new CountingStore(world.log);
    const compare = () => compareProjections(store, world.db, ledgerCodec.decode, projections);
    expect((await compare()).flatMap(({ differences }) => differences)).toEqual([]);
    expect(new Set(store.pages).size).toBe(store.pages.length);
    await world.db.query({ text: `update scrip_read.history_g1 set amount = 6 where customer_id = 'c3'` });
    expect((await compare()).flatMap(({ differences }) => differences)).toMatchObject([
      { projection: 'history', column: 'amount', expected: '5', found: '6' },
    ]);
  });
});

const defaults = { effectiveAt: null, expiresAt: null, costBasis: null, paymentReference: null, metadata: {} };
