import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accountStream } from '#kernel/stream-name.js';
import { query } from '../../support/databases/postgres.js';
import { eventually } from '../../support/eventually.js';
import { consume, grant } from '../../support/ledger/account-commands.js';
import { runCli, startCli, type CliAnswer } from '../../support/processes/cli.js';
import { RunningScrip } from '../../support/processes/running-scrip.js';

const by = {
  origin: 'cli',
  actor: 'test',
  causationId: null,
  correlationId: 'test',
  fingerprint: null,
  key: null,
} as const;

type Answer = {
  readonly records: readonly Readonly<Record<string, unknown>>[];
  readonly summary: { readonly outcomes: Readonly<Record<string, number>> } & Readonly<Record<string, unknown>>;
};

let scrip: RunningScrip;
let dir: string;

beforeAll(async () => {
  [scrip, dir] = await Promise.all([RunningScrip.prepare(), mkdtemp(join(tmpdir(), 'scrip-import-'))]);
});
afterAll(async () => {
  await Promise.all([scrip.stop(), rm(dir, { recursive: true })]);
});

const variables = (): Record<string, string> => ({ DATABASE_URL: scrip.database.url, SCRIP_DATA_DIR: dir });
const run = (...args: string[]): Promise<CliAnswer> => runCli(args, variables());
const json = async (...args: string[]): Promise<Answer & { code: number | null }> => {
  const { code, stdout } = await run(...args, '--json');
  return { code, ...(JSON.parse(stdout) as Answer) };
};
const fileOf = async (name: string, content: string): Promise<string> => {
  const file = join(dir, name);
  await writeFile(file, content);
  return file;
};
const eventsInLog = async (): Promise<number> =>
  Number((await query(scrip.database.url, 'select count(*)::int as n from scrip_log.events'))[0]?.['n']);
const availableOf = async (customerId: string, unit = 'credits'): Promise<number> =>
  (await scrip.writer.handlers.account.load(accountStream(customerId, unit))).state.balance.available;
const outcomes = ({ records }: Answer): unknown[] => records.map(({ outcome }) => outcome);

const header = 'customer_id,name,email,amount,source,expires_at,priority,cost_amount,cost_currency,external_id,unit\n';
const lots =
  header +
  'acme,"Acme, Inc.",billing@acme.test,1000,purchase,2099-01-01T00:00:00Z,10,999,usd,lot-1,\n' +
  'acme,,,20.5,promotion,,,,,lot-2,\n' +
  'beta,,,7,free_tier,,,,,lot-3,tokens\n' +
  'beta,,,7,free_tier,,,,,lot-3,tokens\n' +
  'gamma,Gamma,,,,,,,,,\n' +
  'delta,,,5,,2020-01-01T00:00:00Z,,,,lot-4,\n' +
  'bad id,,,5,,,,,,lot-5,\n' +
  'delta,,,-5,,,,,,lot-6,\n' +
  'delta,,,five,,,,,,lot-7,\n';

describe('scrip import', () => {
  test('foresees, imports and accounts for every lot, and imports nothing twice', async () => {
    const file = await fileOf('lots.csv', lots);
    const expected = ['equal', 'adjusted', 'equal', 'refused', 'customer', 'empty', 'refused', 'refused', 'refused'];
    const before = await eventsInLog();
    const foreseen = await json('import', 'csv', file, '--dry-run');
    expect([foreseen.code, outcomes(foreseen), await eventsInLog()]).toEqual([1, expected, before]);
    const reportFile = join(dir, 'report.ndjson');
    const applied = await json('import', 'csv', file, '--apply', '--report', reportFile);
    expect([applied.code, outcomes(applied)]).toEqual([1, expected]);
    expect(applied.records.map(({ reasons }) => reasons)).toEqual(foreseen.records.map(({ reasons }) => reasons));
    const lines = (await readFile(reportFile, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      ...applied.records,
      { summary: applied.summary },
    ]);
    expect(applied.records[0]).toMatchObject({
      inScrip: { grantId: expect.stringMatching(/^gr_/), amount: 1000, costBasis: { amount: 999, currency: 'usd' } },
    });
    expect([await availableOf('acme'), await availableOf('beta', 'tokens'), await availableOf('delta')]).toEqual([
      1020, 7, 0,
    ]);
    const contacts = 'select customer_id, name, email from scrip_app.customer_contacts order by 1';
    expect(await query(scrip.database.url, contacts)).toEqual([
      { customer_id: 'acme', name: 'Acme, Inc.', email: 'billing@acme.test' },
      { customer_id: 'gamma', name: 'Gamma', email: null },
    ]);
    const after = await eventsInLog();
    for (const mode of ['--apply', '--dry-run']) {
      const again = await json('import', 'csv', file, mode);
      expect([again.code, outcomes(again), again.summary['before']]).toEqual([1, expected, 3]);
      expect(await eventsInLog()).toBe(after);
    }
  });

  test('tells a lot that is otherwise than when it was imported, and grants it under another name only', async () => {
    const file = await fileOf('changed.csv', `${header}acme,,,900,purchase,2099-01-01T00:00:00Z,10,999,usd,lot-1,\n`);
    const answer = await json('import', 'csv', file, '--apply');
    expect([answer.code, answer.records[0]]).toMatchObject([
      1,
      { outcome: 'differs', reasons: ['amount 1000 when it was imported, 900 in the source now'], before: true },
    ]);
    expect(await availableOf('acme')).toBe(1020);
    expect((await json('import', 'csv', file, '--apply', '--name', 'other')).code).toBe(0);
    expect(await availableOf('acme')).toBe(1920);
  });

  test('grants nothing to an account that is closed, nor for a customer who was erased', async () => {
    const file = await fileOf('late.csv', `${header}closed,,,5,,,,,,late-1,\nerased,,,5,,,,,,late-2,\n`);
    const { writer } = scrip;
    await writer.account('closed', grant(1));
    await writer.account('closed', { type: 'CloseAccount', reason: 'a test' });
    for (const type of ['RegisterCustomer', 'EraseCustomer'] as const)
      await writer.handlers.customer.execute({
        ...by,
        stream: 'customer-erased',
        command: { type, customerId: 'erased' },
      });
    for (const mode of ['--dry-run', '--apply']) {
      const { code, records } = await json('import', 'csv', file, mode);
      expect([code, records.map(({ reasons }) => reasons)]).toEqual([
        1,
        [[expect.stringContaining('is closed')], [expect.stringContaining('was erased')]],
      ]);
    }
  });

  test('goes on after kill -9 and ends as if nothing had happened', async () => {
    const rows = Array.from({ length: 3_000 }, (_, n) => `c${String(n % 500)},,,${String(n + 1)},,,,,,k-${String(n)},`);
    const file = await fileOf('many.csv', `${header}${rows.join('\n')}\n`);
    const granted = async (): Promise<Record<string, unknown>> =>
      (
        await query(
          scrip.database.url,
          `select count(*)::int as lots, sum((data::json ->> 'amount')::bigint)::text as credits from scrip_log.events
            where type = 'CreditsGranted' and metadata like '%"import:killed:%'`,
        )
      )[0]!;
    const child = startCli(['import', 'csv', file, '--apply', '--name', 'killed'], variables());
    const ended = once(child, 'exit');
    await eventually(granted, ({ lots }) => Number(lots) > 0);
    child.kill('SIGKILL');
    await ended;
    // The server may still commit what it had been sent.
    const atLeast = Number((await granted())['lots']);
    const answer = await json('import', 'csv', file, '--apply', '--name', 'killed');
    expect([answer.code, answer.summary.outcomes['equal']]).toEqual([0, 3_000]);
    const before = Number(answer.summary['before']);
    expect(before).toBeGreaterThanOrEqual(atLeast);
    expect(before).toBeLessThan(3_000);
    expect(await granted()).toEqual({ lots: 3_000, credits: String((3_000 * 3_001) / 2) });
  });

  test('keeps what came before a broken end, and says where it broke', async () => {
    const file = await fileOf('broken.csv', `${header}acme,,,5,,,,,,b-1,\nacme,"no end,5,,,,,,b-2,\n`);
    const answer = await json('import', 'csv', file, '--apply', '--name', 'broken');
    expect([answer.code, answer.summary]).toMatchObject([
      1,
      { complete: false, brokenBecause: expect.stringContaining('line 3'), outcomes: { equal: 1 } },
    ]);
  });

  test('compares balances later and says what a difference is made of', async () => {
    const rows = (left: number): string => `${header}shadow,,,100,,,,,,s-1,\nshadow,,,${String(left)},,,,,,s-2,\n`;
    const file = await fileOf('shadow.csv', rows(50));
    const named = ['--name', 'shadow'];
    expect((await run('import', 'csv', file, '--apply', ...named)).code).toBe(0);
    const before = await eventsInLog();
    const same = await run('import', 'csv', file, '--shadow', ...named);
    expect([same.code, same.stdout, await eventsInLog()]).toEqual([0, '1 accounts compared, 0 differ\n', before]);
    await scrip.writer.account('shadow', consume(30));
    await scrip.writer.account('shadow', grant(5));
    await fileOf('shadow.csv', rows(40));
    const { code, stdout } = await run('import', 'csv', file, '--shadow', ...named, '--json');
    expect([code, (JSON.parse(stdout) as { accounts: unknown }).accounts]).toEqual([
      1,
      [
        {
          ...{ customerId: 'shadow', unit: 'credits', source: '140', scrip: '125', difference: '-15' },
          ...{ sourceChange: '-10', otherGrants: '5', consumed: '30', expired: '0', revoked: '0' },
          ...{ repaid: '0', transferred: '0' },
        },
      ],
    ]);
    const row = 'shadow,,,100,,,,,,s-1,\n';
    const twice = await run('import', 'csv', await fileOf('twice.csv', header + row + row), '--shadow', ...named);
    expect(twice.stdout.split('\n')).toEqual([
      'shadow: 100 credits in the source, 125 in Scrip (change in the source -50, granted otherwise 5, consumed 30)',
      '1 accounts compared, 1 differ',
      '1 lots of the source cannot be imported and are not counted: see --dry-run',
      '',
    ]);
  });

  test('takes back what is unspent of an import, and says what is not', async () => {
    const file = await fileOf(
      'undo.csv',
      `${header}undo,,,100,purchase,,,,,u-1,\nundo,,,50,,,,,,u-2,\nnext,,,7,,,,,,u-3,\n`,
    );
    const named = ['--name', 'undone'];
    expect((await run('import', 'csv', file, '--apply', ...named)).code).toBe(0);
    await scrip.writer.account('undo', grant(5));
    await scrip.writer.account('undo', consume(60));
    const undone = await run('import', 'csv', '--undo', ...named, '--json');
    expect(undone.code).toBe(1);
    const found = JSON.parse(undone.stdout) as { readonly grants: readonly { readonly externalId: string }[] };
    // They come in the order of the log, and accounts are written side by side.
    const grants = found.grants.toSorted((a, b) => a.externalId.localeCompare(b.externalId));
    expect({ ...found, grants }).toMatchObject({
      grants: [
        { customerId: 'undo', externalId: 'u-1', amount: 100, revoked: 40, spent: 60, held: 0, refusal: null },
        { customerId: 'undo', externalId: 'u-2', amount: 50, revoked: 50, spent: 0 },
        { customerId: 'next', externalId: 'u-3', amount: 7, revoked: 7, spent: 0 },
      ],
      summary: { grants: 3, granted: '157', revoked: '97', spent: '60', held: '0' },
    });
    const { balance } = (await scrip.writer.handlers.account.load(accountStream('undo', 'credits'))).state;
    expect(balance).toMatchObject({ available: 5, debt: 0 });
    const events = await eventsInLog();
    expect((await run('import', 'csv', '--undo', ...named)).stdout).toContain('0 taken back now, 97 before');
    expect((await json('import', 'csv', file, '--apply', ...named)).summary.outcomes['differs']).toBe(3);
    expect(await eventsInLog()).toBe(events);
    expect((await run('import', 'csv', file, '--undo')).code).toBe(2);
  });

  test('answers wrong use with 2', async () => {
    const file = await fileOf('one.csv', `${header}acme,,,5,,,,,,o-1,\n`);
    const wrong = [
      ['import', 'csv', file],
      ['import', 'csv', file, '--apply', '--dry-run'],
      ['import', 'csv', '--apply'],
      ['import', 'csv', join(dir, 'none'), '--apply'],
      ['import', 'csv', file, '--apply', '--name', 'A'],
      ['import', 'csv', file, '--apply', '--unit', 'A'],
      ['import', 'csv', file, '--apply', '--report', join(dir, 'no', 'folder')],
      ['import', 'csv', await fileOf('wrong.csv', 'who\n'), '--apply'],
    ];
    for (const args of wrong) expect([args, (await run(...args)).code]).toEqual([args, 2]);
  });

  test('takes the files of Lago and OpenMeter', async () => {
    const wallet = {
      ...{ lago_id: 'w1', external_customer_id: 'lagoon', status: 'active', currency: 'EUR', rate_amount: '1.0' },
      ...{ credits_balance: '28.0', created_at: '2026-04-29T08:59:51Z', expiration_at: null },
    };
    const wallets = await fileOf('wallets.json', JSON.stringify({ wallets: [wallet], meta: {} }));
    expect(outcomes(await json('import', 'lago', wallets, '--apply'))).toEqual(['adjusted']);
    const grants = await fileOf(
      'grants.ndjson',
      '{"id":"g1","entitlementId":"e1","amount":9,"effectiveAt":"2026-01-01T00:00:00Z"}\n{"id":}\n',
    );
    const entitlements = await fileOf('entitlements.json', '[{"id":"e1","subjectKey":"meter","featureKey":"tokens"}]');
    const files = [grants, '--entitlements', entitlements, '--feature', 'tokens', '--unit', 'tokens'];
    const answer = await json('import', 'openmeter', ...files, '--full-amounts', '--apply');
    expect([answer.code, outcomes(answer)]).toEqual([1, ['equal', 'refused']]);
    expect([await availableOf('lagoon'), await availableOf('meter', 'tokens')]).toEqual([28, 9]);
    expect((await run('import', 'openmeter', grants, '--apply')).code).toBe(2);
  });

  test('leaves a log and read models that verify', async () => {
    await scrip.startWorker();
    const verified = await eventually(
      () => run('audit', 'verify'),
      ({ code }) => code === 0,
    );
    expect(verified.stdout).toContain('the log is sound');
  });
});
