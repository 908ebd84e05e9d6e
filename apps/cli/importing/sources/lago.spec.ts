import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decimalText } from '../decimal.js';
import type { SourceRecord } from '../source.js';
import { lagoSource } from './lago.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'scrip-lago-'));
});
afterAll(() => rm(dir, { recursive: true }));

const wallet = (id: string, more: object = {}): object => ({
  lago_id: id,
  lago_customer_id: `customer-of-${id}`,
  external_customer_id: `ext-${id}`,
  status: 'active',
  currency: 'EUR',
  name: 'Prepaid',
  priority: 50,
  rate_amount: '1.0',
  credits_balance: '28.0',
  balance_cents: 2800,
  consumed_credits: '2.0',
  created_at: '2026-04-29T08:59:51Z',
  expiration_at: '2027-04-29T08:59:51Z',
  terminated_at: null,
  recurring_transaction_rules: [],
  ...more,
});
const transaction = (id: string, walletId: string, more: object = {}): object => ({
  lago_id: id,
  lago_wallet_id: walletId,
  status: 'settled',
  source: 'manual',
  transaction_status: 'purchased',
  transaction_type: 'inbound',
  amount: '30.0',
  credit_amount: '30.0',
  remaining_amount_cents: 2050,
  remaining_credit_amount: '20.5',
  priority: 50,
  settled_at: '2026-05-01T00:00:00Z',
  failed_at: null,
  created_at: '2026-04-30T00:00:00Z',
  metadata: [],
  ...more,
});

async function read(wallets: object, transactions?: object): Promise<SourceRecord[]> {
  const [first, second] = [join(dir, 'wallets.json'), join(dir, 'transactions.json')];
  await writeFile(first, JSON.stringify(wallets));
  if (transactions !== undefined) await writeFile(second, JSON.stringify(transactions));
  return Array.fromAsync((await lagoSource(first, transactions === undefined ? null : second, 'credits')).records);
}
const shown = (records: readonly SourceRecord[]): unknown[] =>
  records.map((record) => (record.kind === 'lot' ? { ...record, left: decimalText(record.left) } : record));

describe("Lago's wallets", () => {
  test('are a lot each without their transactions', async () => {
    const page = {
      wallets: [wallet('w1'), wallet('w2', { status: 'terminated', priority: 3 })],
      meta: { current_page: 1 },
    };
    expect(shown(await read(page))).toMatchObject([
      {
        kind: 'lot',
        externalId: 'w1',
        customer: { id: 'ext-w1', name: null, email: null },
        left: '28',
        source: 'adjustment',
        priority: 50,
        effectiveAt: '2026-04-29T08:59:51.000Z',
        expiresAt: '2027-04-29T08:59:51.000Z',
        costBasis: null,
        adjustments: [expect.stringContaining('--transactions')],
        endedBecause: null,
      },
      { externalId: 'w2', priority: 3, endedBecause: 'the wallet is terminated' },
    ]);
  });

  test('are a lot for each top-up with their transactions', async () => {
    const records = await read(
      [wallet('w1', { credits_balance: '25.5' }), wallet('w2', { priority: 2, credits_balance: '5' })],
      {
        wallet_transactions: [
          transaction('t1', 'w1'),
          transaction('t2', 'w1', { transaction_status: 'granted', remaining_credit_amount: '5.0', priority: 7 }),
          transaction('t3', 'w1', { status: 'pending', remaining_credit_amount: null, settled_at: null }),
          transaction('t4', 'w1', { transaction_type: 'outbound', transaction_status: 'invoiced' }),
          transaction('t5', 'w2', { remaining_credit_amount: '5', remaining_amount_cents: null, priority: 9 }),
        ],
      },
    );
    expect(shown(records)).toMatchObject([
      {
        externalId: 't1',
        customer: { id: 'ext-w1' },
        left: '20.5',
        source: 'purchase',
        costBasis: { amount: 2050, currency: 'eur' },
        effectiveAt: '2026-05-01T00:00:00.000Z',
        expiresAt: '2027-04-29T08:59:51.000Z',
        adjustments: [],
      },
      { externalId: 't2', left: '5', source: 'promotion', costBasis: null, priority: 7 },
      { externalId: 't3', left: '0', endedBecause: 'it is pending, not settled' },
      {
        externalId: 't5',
        priority: 2,
        costBasis: null,
        adjustments: [expect.stringContaining('priority 9'), expect.stringContaining('no cost')],
      },
    ]);
  });

  test('whose top-ups do not sum to the balance are named', async () => {
    const records = await read([wallet('w1'), wallet('w2')], [transaction('t1', 'w1')]);
    expect(records.slice(1)).toMatchObject([
      {
        kind: 'unreadable',
        externalId: 'w1',
        reason: expect.stringContaining('have 20.5 credits left, its balance is 28'),
      },
      { kind: 'unreadable', externalId: 'w2', reason: expect.stringContaining('have 0 credits left') },
    ]);
  });

  test('refuse what cannot be understood, with its place', async () => {
    const bad = [
      wallet('w1', { credits_balance: null, expiration_at: 'never' }),
      wallet('w2', { rate_amount: '2.0' }),
      wallet('w3', { currency: 'USD' }),
      'nothing',
    ];
    const file = join(dir, 'bad.json');
    await writeFile(
      file,
      `[${[wallet('w0'), ...bad.slice(0, 3)].map((one) => JSON.stringify(one)).join(',\n')},{"x":}]`,
    );
    const records = await Array.fromAsync((await lagoSource(file, null, 'credits')).records);
    expect(records.slice(1)).toMatchObject([
      {
        at: 'record 2 (line 2)',
        reason: expect.stringMatching(/credits_balance is needed.*expiration_at must be a time/),
      },
      { at: 'record 3 (line 3)', reason: expect.stringContaining('worth 2 EUR, of the wallets before 1 EUR') },
      { at: 'record 4 (line 4)', reason: expect.stringContaining('worth 1 USD') },
      { at: 'record 5 (line 4)', reason: 'it is no JSON object' },
    ]);
    expect(
      await read([wallet('w1')], [transaction('t1', 'w9'), transaction('t2', 'w1', { remaining_credit_amount: null })]),
    ).toMatchObject([
      { externalId: 't1', reason: 'the wallet w9 is not among the wallets' },
      { externalId: 't2', reason: expect.stringContaining('traceability') },
      { externalId: 'w1' },
    ]);
  });
});
