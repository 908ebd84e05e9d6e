import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { openDatabase, type Database } from '#database/database.js';
import { beginRun, differenceCounts, keepPlace, noteRepair, unsettledDifferences } from '#records/reconciliation.js';
import { freshDatabase } from '../../support/databases/postgres.js';
import { migrateScrip } from '../../support/databases/scrip-database.js';

let db: Database;
let drop: () => Promise<void>;

beforeAll(async () => {
  const database = await freshDatabase();
  await migrateScrip(database.url);
  db = openDatabase(database.url, { clock: new SystemClock() });
  drop = database.drop;
});
afterAll(async () => {
  await db.close();
  await drop();
});

const now = '2026-11-21T08:00:00.000Z';

test('what waited when a run looked is found again page by page, and what became of it is noted', async () => {
  const wanted = { startedBy: 'test', repair: true, since: null };
  const { run } = await beginRun(db, wanted, { now, resumableSince: now });
  const found = Array.from({ length: 250 }, (_none, n) => ({
    type: 'payment',
    id: `pi_${String(n)}`,
    stripe: { status: 'succeeded' },
    ledger: null,
    repair: n % 5 === 0 ? ('repaired' as const) : n % 5 === 1 ? ('parked' as const) : ('waiting' as const),
    toldAs: `evt_${String(n)}`,
  }));
  await keepPlace(db, run.id, { stage: 1, after: null, checked: 250 }, found, []);
  const events: string[] = [];
  for (let after = ''; ;) {
    const page = await unsettledDifferences(db, run.id, after);
    if (page.length === 0) break;
    for (const { number, toldAs } of page) {
      events.push(toldAs);
      await noteRepair(db, run.id, number, 'repaired');
    }
    after = page.at(-1)!.number;
  }
  expect(events).toEqual(found.filter(({ repair }) => repair !== 'repaired').map(({ toldAs }) => toldAs));
  expect(await unsettledDifferences(db, run.id, '')).toEqual([]);
  expect(await differenceCounts(db, run.id)).toMatchObject({ differences: 250, unrepaired: 0 });
});
