import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { decodeEvent, type LedgerEvent } from '#ledger/events.js';
import { START } from '#event-store/event-store.js';
import { readLogShares } from '#event-store/log-shares.module.js';
import { ModelComparison } from '#read-store/compare.js';
import { openReadDatabase, type ReadDatabase } from '#read-store/read-database.js';
import { runProjections } from '#read-store/projection-runner.js';
import { waitForPosition } from '#read-store/wait-for-position.js';
import { projectionsFor } from '../../projections/registry.js';
import { LogAudit } from '../../apps/cli/log-audit.js';
import { combined, type Audited } from '../../apps/cli/parallel-audit.js';
import { modelsOf, ShareAudit } from '../../apps/cli/share-audit.js';
import { freshDatabase, query } from '../support/postgres.js';
import { migrateScrip } from '../support/scrip-database.js';
import { stripeEvent, stripeFixtures } from '../support/stripe-events.js';
import { Writer } from '../support/writer.js';
import { consume, grant } from '../support/account-commands.js';

const bought = grant(100, { costBasis: { amount: 990, currency: 'usd' }, paymentReference: 'pi_1' });
const used = consume(7, { resource: { type: 'job', id: 'ü €' } });
const shares = 3;
/** Bytes: several pieces for each share, and an event or two that do not fit into one. */
const room = 1_500;

let database: Awaited<ReturnType<typeof freshDatabase>>;
let writer: Writer;
let db: ReadDatabase;
const projections = projectionsFor({ knowsEveryId: true });

beforeAll(async () => {
  database = await freshDatabase();
  await migrateScrip(database.url);
  writer = await Writer.open(database.url);
  db = openReadDatabase(database.url, { clock: new SystemClock() });
  await writer.applyCatalog();
  for (let n = 0; n < 60; n += 1) {
    const customer = ['plain', 'with.dots.', 'Odd:id@'][n % 3]! + String(n);
    const account = customer + (n % 2 === 0 || customer.includes('.') ? '.tokens' : '');
    await writer.account(account, bought);
    for (let k = 0; k < n % 9; k += 1) await writer.account(account, used);
    await writer.startFreePlan(customer, 'free');
    await writer.handlers.account.execute({
      stream: `account-${customer}.credits`,
      command: {
        type: 'KeepFreeMonths',
        subscriptionId: `free_${customer}`,
        planId: 'free',
        months: [{ start: '2098-11-01T00:00:00.000Z', end: '2098-12-01T00:00:00.000Z', amount: 100 }],
      },
      actor: 'scheduler',
      key: null,
      origin: 'cli',
      fingerprint: null,
      causationId: null,
      correlationId: 'c',
    });
  }
  for (const fixture of stripeFixtures.slice(0, 9)) await writer.receive(stripeEvent(fixture));
  const stopping = new AbortController();
  const running = runProjections<LedgerEvent>(
    { store: writer.store, db, clock: new SystemClock(), projections, decode: decodeEvent, report: () => undefined },
    stopping.signal,
  );
  const head = await writer.store.head();
  for (const { name } of projections) await waitForPosition(db, name, head, 60_000);
  stopping.abort();
  await running;
});

afterAll(async () => {
  await db.close();
  await writer.store.close();
  await database.drop();
});

/** What `scrip audit verify` finds with a thread for each share. */
async function inShares(of: number): Promise<{ audited: Audited | null; events: readonly number[] }> {
  const models = await ModelComparison.ofLive(db, projections);
  try {
    const through = await writer.store.head();
    const audits = Array.from({ length: of }, () => new ShareAudit(modelsOf(models.compared)));
    await readLogShares(
      { databaseUrl: database.url, of, through },
      {
        take: (share, bytes) => void audits[share]!.take(bytes),
        room: () => new SharedArrayBuffer(room),
      },
    );
    for (const audit of audits) audit.endPass();
    const reports = audits.map((audit) => audit.report());
    return { audited: await combined(reports, through, models), events: reports.map(({ log }) => log.events) };
  } finally {
    await models.close();
  }
}

describe('an audit in shares', () => {
  it('finds what an audit in one piece finds, each event in one share', async () => {
    const whole = new LogAudit({ contiguous: true });
    whole.add(await writer.store.readAll(START, 10_000));
    const { audited, events } = await inShares(shares);
    expect(audited?.log).toEqual(whole.report());
    expect(whole.report().findings).toEqual([]);
    for (const share of events) expect(share).toBeGreaterThan(20);
    const compared = new Map(audited?.projections.map(({ projection, rows }) => [projection, rows]));
    expect([...compared.keys()]).toEqual(projections.map(({ name }) => name));
    for (const name of ['balances', 'history', 'claims', 'customers', 'catalogue', 'allowances'])
      expect(compared.get(name)).toBeGreaterThan(0);
    expect((await inShares(1)).audited).toEqual(audited);
  });

  const [last, nth] = [
    '(select max(position) from scrip_log.events)',
    '(select 40 + min(position) from scrip_log.events)',
  ];
  it.each([
    ['a changed event', `update scrip_log.events set data = replace(data, '"at"', '"at" ') where position = ${nth}`],
    ...[
      `id = gen_random_uuid()`,
      `type = 'AccountFrozen'`,
      `schema_version = schema_version + 1`,
      `revision = revision + 100`,
      `metadata = replace(metadata, '"actor"', '"actor" ')`,
      `metadata = replace(metadata, '"recordedAt"', '"recordedat"')`,
      `prev_hash = sha256(prev_hash)`,
      `hash = sha256(hash)`,
    ].map((change) => [`an event with ${change}`, `update scrip_log.events set ${change} where position = ${nth}`]),
    ['a missing event', `delete from scrip_log.events where position = ${nth}`],
    ['a missing newest event', `delete from scrip_log.events where position = ${last} - 1`],
    ['a whole stream that is missing', `delete from scrip_log.events where stream = 'account-plain0.tokens'`],
    ['an event in another stream', `update scrip_log.events set stream = stream || 'x' where position = ${nth}`],
    [
      'a changed row',
      `update scrip_read.history_g1 set amount = amount + 1 where position = (select max(position) from scrip_read.history_g1)`,
    ],
    [
      'rows that have changed places',
      `update scrip_read.history_g1 h set actor = case actor when 'scheduler' then other else 'scheduler' end
         from (select max(actor) as other, max(position) filter (where actor <> 'scheduler') as one, max(position) filter (where actor = 'scheduler') as two
                 from scrip_read.history_g1) c
        where position in (one, two)`,
    ],
    ['a row too few', `delete from scrip_read.allowances_g1 where id = (select min(id) from scrip_read.allowances_g1)`],
    ['a changed allowance', `update scrip_read.allowances_g1 set months = '9'`],
    [
      'a row too many',
      `insert into scrip_read.customers_g1 select customer_id || 'x', registered_at, null, null, 1 from scrip_read.customers_g1 limit 1`,
    ],
  ])('is not content with %s', async (_what, statement) => {
    const tables = [
      'scrip_log.events',
      ...['history', 'allowances', 'customers'].map((name) => `scrip_read.${name}_g1`),
    ];
    const kept = (table: string): string => table.replace('.', '_kept_');
    for (const table of tables) await query(database.url, `create table ${kept(table)} as select * from ${table}`);
    await query(database.url, statement);
    const { audited } = await inShares(shares).catch(() => ({ audited: null }));
    for (const table of tables) {
      await query(database.url, `truncate ${table}`);
      await query(database.url, `insert into ${table} select * from ${kept(table)}`);
      await query(database.url, `drop table ${kept(table)}`);
    }
    expect(audited).toBeNull();
    expect((await inShares(shares)).audited).not.toBeNull();
  });
});
