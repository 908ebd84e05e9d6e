import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ledgerCodec } from '#ledger/events.js';
import { CheckpointedWriter } from '#projecting/checkpointed-writer.js';
import { projected } from '#projecting/projection.js';
import { openDatabase, type Reader } from '#database/database.js';
import { DatabaseError } from '#database/errors.js';
import { historyProjection } from '../../projections/history/history.js';
import type { LedgerProjection, Projected } from '../../projections/ledger-projection.js';
import { ProjectionWorld } from '../support/worlds/projection-world.js';
describe('a projection', () => {
  let world: ProjectionWorld;
  beforeEach(async () => {
    world = await ProjectionWorld.open();
  });
  afterEach(() => world.close());

  const grant = async (): Promise<string> => {
    const defaults = { description: null, metadata: {}, costBasis: null, paymentReference: null };
    const when = { effectiveAt: null, expiresAt: null };
    const command = { type: 'GrantCredits', amount: 1, source: 'purchase', priority: 50, ...when, ...defaults };
    world.writer.decide('account-acme', command, '2026-11-01T00:00:00.000Z');
    await world.writer.flush();
    return world.store.head();
  };
  const applying = (apply: (reader: Reader, batch: readonly Projected[]) => Promise<void>): LedgerProjection => ({
    ...historyProjection,
    open: () => ({ apply }),
  });

  it('applies fewer events at once when so many take too long, and halts for none of them', async () => {
    for (let i = 0; i < 8; i += 1) await grant();
    const sizes: number[] = [];
    const slow = applying(async (reader, batch) => {
      sizes.push(batch.length);
      await reader.query({ text: 'select pg_sleep($1)', values: [batch.length * 0.1] });
    });
    const [generation] = await world.generations('history');
    const hasty = openDatabase(world.url, { clock: world.clock, queryTimeoutMs: 350 });
    const writer = new CheckpointedWriter(hasty, slow, generation!.generation, generation!.position);
    const recorded = await world.store.readAll(generation!.position, 100);
    await writer.apply(projected(recorded, ledgerCodec.decode));
    expect([writer.position, Math.max(...sizes.slice(-2)) < 4]).toEqual([recorded.at(-1)!.position, true]);

    await hasty.close();
    const tooSlow = applying(async (reader) => {
      await reader.query({ text: 'select pg_sleep(9)' });
    });
    await grant();
    const busy = openDatabase(world.url, { clock: world.clock, queryTimeoutMs: 100 });
    const second = new CheckpointedWriter(busy, tooSlow, generation!.generation, writer.position);
    const last = projected(await world.store.readAll(writer.position, 100), ledgerCodec.decode);
    await expect(second.apply(last)).rejects.toThrow(DatabaseError);
    await busy.close();
  });

  it('that fails now and then but goes on in between does not wait ever longer', async () => {
    let applied = 0;
    const shaky = applying(() => {
      applied += 1;
      return applied % 2 === 0 ? Promise.reject(new DatabaseError(null, 'away')) : Promise.resolve();
    });
    const { reports } = world.work([shaky]);
    const pauses: number[] = [];
    for (let i = 0; i < 10; i += 1) {
      const before = Date.now();
      await world.reached(await grant(), ['history']);
      pauses.push(Date.now() - before);
    }
    expect(reports.filter(({ kind }) => kind === 'failing').length).toBeGreaterThan(5);
    expect(Math.max(...pauses)).toBeLessThan(2_000);
  });
});
