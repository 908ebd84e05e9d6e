import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { instantOf } from '#kernel/instant.js';
import { ledgerCodec } from '#ledger/events.js';
import { compareProjections } from '#projecting/comparison/compare.js';
import { runBuilding, runLive, type ProjectionReport } from '#projecting/generation-runner.js';
import { requestRebuild, startBuilding } from '#projecting/generations.js';
import { ReaderGroup } from '#projecting/reader-group.js';
import {
  Database,
  type LongTransaction,
  type Reader,
  type Statement,
  type TransactionOptions,
} from '#database/database.js';
import { historyProjection } from '../../../projections/history/history.js';
import { consume, grant } from '../../support/ledger/account-commands.js';
import { ProjectionWorld } from '../../support/worlds/projection-world.js';

const at = (second: number): string => instantOf(Date.parse('2026-11-01T00:00:00.000Z') + second * 1000);
let world: ProjectionWorld;
beforeEach(async () => {
  world = await ProjectionWorld.open();
});
afterEach(() => world.close());

/** Lets something happen before each takeover holds the live tables still. */
class LateDatabase extends Database {
  constructor(
    url: string,
    private readonly before: () => Promise<void>,
  ) {
    super(url, { clock: world.clock });
  }

  override transaction<Result>(
    work: (reader: Reader) => Promise<Result>,
    options: TransactionOptions = {},
  ): Promise<Result> {
    return super.transaction((reader) => {
      const query = async <Row>(statement: Statement): Promise<readonly Row[]> => {
        if (statement.text.includes('order by generation for update')) await this.before();
        return reader.query(statement);
      };
      return work({ ...reader, query });
    }, options);
  }
}

/** Lets something happen once, after a comparison has read which generations are live and before it looks at their tables. */
class RebuiltMeanwhile extends Database {
  #happened = false;
  constructor(
    url: string,
    private readonly happen: () => Promise<void>,
  ) {
    super(url, { clock: world.clock });
  }

  override async begin(...options: Parameters<Database['begin']>): Promise<LongTransaction> {
    const transaction = await super.begin(...options);
    const query = async <Row>(statement: Statement): Promise<readonly Row[]> => {
      const rows = await transaction.query<Row>(statement);
      if (statement.name === 'generations' && !this.#happened) {
        this.#happened = true;
        await this.happen();
      }
      return rows;
    };
    return { ...transaction, query };
  }
}

describe('a rebuild', () => {
  it('is begun once, however many workers begin it', async () => {
    world.work();
    await world.writer.run('account-acme', grant(1), at(0));
    await world.reached(await world.store.head());
    const newer = { ...historyProjection, version: historyProjection.version + 1 };
    await Promise.all([1, 2, 3].map(() => startBuilding(world.db, newer)));
    expect((await world.generations('history')).map(({ generation, role }) => [generation, role])).toEqual([
      [1, 'live'],
      [2, 'building'],
    ]);
  });

  it('that the live tables have left behind when it takes over catches up first', async () => {
    const stopping = new AbortController();
    const reports: ProjectionReport[] = [];
    const parts = {
      store: world.store,
      clock: world.clock,
      decode: ledgerCodec.decode,
      report: (report: ProjectionReport) => reports.push(report),
    };
    const group = new ReaderGroup(parts);
    const live = runLive({ ...parts, db: world.db, group }, historyProjection, 1, stopping.signal);
    await world.writer.run('account-acme', grant(1_000_000), at(0));
    await requestRebuild(world.db, 'history');
    await startBuilding(world.db, historyProjection);
    // More than is applied while the live tables are held still comes in just before that.
    let takeovers = 0;
    const late = new LateDatabase(world.url, async () => {
      takeovers += 1;
      if (takeovers > 1) return;
      for (let step = 0; step < 4_500; step += 1) world.writer.decide('account-acme', consume(1), at(step));
      await world.reached(await world.writer.flush(), ['history']);
    });
    await runBuilding({ ...parts, db: late, group }, historyProjection, 2, stopping.signal);
    expect(takeovers).toBe(2);
    expect(reports.map(({ kind, generation }) => [kind, generation])).toEqual([['switched', 2]]);
    expect(await world.differences([historyProjection])).toEqual([]);
    stopping.abort();
    await live;
    await late.close();
  });

  it('that ends while a comparison begins has it begin again, with the tables that are live now', async () => {
    world.work();
    await world.writer.run('account-acme', grant(1), at(0));
    await world.reached(await world.store.head());
    const db = new RebuiltMeanwhile(world.url, async () => {
      await requestRebuild(world.db, 'history');
      await world.eventually(async () =>
        (await world.generations('history')).every(({ generation }) => generation === 2),
      );
    });
    try {
      const found = await compareProjections(world.store, db, ledgerCodec.decode, [historyProjection]);
      expect(found).toMatchObject([{ projection: 'history', generation: 2, rows: 1, differences: [] }]);
    } finally {
      await db.close();
    }
  });
});
