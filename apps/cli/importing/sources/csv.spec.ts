import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WrongUse } from '../../terminal/command.js';
import { SourceBroken, type SourceRecord } from '../source.js';
import { csvSource } from './csv.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'scrip-csv-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function read(content: string | Buffer): Promise<SourceRecord[]> {
  const file = join(dir, 'lots.csv');
  await writeFile(file, content);
  const source = await csvSource(file, 'credits');
  const records = await Array.fromAsync(source.records);
  expect(source.progress()).toBe(1);
  return records;
}

const header =
  'customer_id,name,email,amount,source,effective_at,expires_at,priority,cost_amount,cost_currency,external_id,unit\n';

describe('a CSV file of lots', () => {
  test('gives each row with all that a lot can have', async () => {
    const row =
      'acme,"Acme, Inc.",a@acme.test,100.5,purchase,2026-01-01T01:00:00+01:00,2027-01-01T00:00:00Z,7,999,USD,l-1,tokens';
    expect(await read(header + row)).toEqual([
      {
        kind: 'lot',
        at: 'line 2',
        externalId: 'l-1',
        customer: { id: 'acme', name: 'Acme, Inc.', email: 'a@acme.test' },
        unit: 'tokens',
        left: { digits: 1005n, scale: 1 },
        source: 'purchase',
        priority: 7,
        effectiveAt: '2026-01-01T00:00:00.000Z',
        expiresAt: '2027-01-01T00:00:00.000Z',
        costBasis: { amount: 999, currency: 'usd' },
        adjustments: [],
        endedBecause: null,
      },
    ]);
  });

  test('takes columns in any order, a byte order mark, and what is left out by its default', async () => {
    const [paid, free] = await read(
      '\ufeffexternal_id,Amount,customer_id,cost_amount,cost_currency\r\n1,5,a,100,eur\r\n2,6,a,,\r\n',
    );
    expect(paid).toMatchObject({ source: 'purchase', priority: 50, unit: 'credits', expiresAt: null });
    expect(free).toMatchObject({ source: 'promotion', costBasis: null, effectiveAt: null });
  });

  test('takes rows that only name a customer', async () => {
    expect(await read(`${header}acme,Acme,,,,,,,,,,`)).toEqual([
      { kind: 'customer', at: 'line 2', customer: { id: 'acme', name: 'Acme', email: null } },
    ]);
  });

  test('says of a bad row all that is wrong with it, with its line, and reads on', async () => {
    const bad = ',,,1e3,gift,tomorrow,2026-02-30T00:00:00Z,101,1.5,,,';
    const [first, second, third] = await read(`${header}${bad}\na,b\nacme,,,1,,,,,,,l-2,`);
    expect(first).toMatchObject({ kind: 'unreadable', at: 'line 2', customerId: null, externalId: null });
    expect((first as { reason: string }).reason.split('; ')).toEqual([
      'customer_id is needed',
      'external_id is needed',
      'amount must be a decimal number such as 12.5, not "1e3"',
      'cost_amount must be a whole number from 0 to 9007199254740991, not "1.5"',
      expect.stringMatching(/^source must be one of purchase, .*, not "gift"$/),
      'priority must be a whole number from 0 to 100, not "101"',
      'effective_at must be a time such as 2026-11-21T08:00:00Z, not "tomorrow"',
      'expires_at must be a time such as 2026-11-21T08:00:00Z, not "2026-02-30T00:00:00Z"',
    ]);
    expect(second).toMatchObject({ kind: 'unreadable', at: 'line 3', reason: expect.stringContaining('2 cells') });
    expect(third).toMatchObject({ kind: 'lot', at: 'line 4' });
  });

  test.each([
    ['', 'is empty'],
    ['amount,external_id\n', 'does not name customer_id'],
    ['customer_id,credits\n', '"credits"'],
    ['customer_id,name,name\n', 'names name twice'],
    ['customer_id,amount\n', 'one of amount and external_id'],
    ['"customer_id', 'not closed'],
  ])('is refused whole when its header is not one: %j', async (content, problem) => {
    const reading = read(content);
    await expect(reading).rejects.toThrow(WrongUse);
    await expect(reading).rejects.toThrow(problem);
  });

  test('is refused when there is none, and broken off where it is not UTF-8', async () => {
    await expect(csvSource(join(dir, 'none.csv'), 'credits')).rejects.toThrow(WrongUse);
    const rows = Buffer.from(`${header}${'acme,,,1,,,,,,,l-1,\n'.repeat(20_000)}`);
    await expect(read(Buffer.concat([rows, Buffer.from([0xff])]))).rejects.toThrow(SourceBroken);
  });
});
