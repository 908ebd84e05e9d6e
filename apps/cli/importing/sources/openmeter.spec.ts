import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WrongUse } from '../../terminal/command.js';
import { decimalText } from '../decimal.js';
import { openMeterSource } from './openmeter.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'scrip-openmeter-'));
});
afterAll(() => rm(dir, { recursive: true }));

const grant = (id: string, more: object = {}): object => ({
  id,
  createdAt: '2026-01-01T00:00:00Z',
  updatedAt: '2026-01-01T00:00:00Z',
  entitlementId: 'e1',
  amount: 100,
  priority: 5,
  effectiveAt: '2026-01-01T00:00:00Z',
  expiration: { duration: 'YEAR', count: 1 },
  expiresAt: '2027-01-01T00:00:00Z',
  metadata: {},
  ...more,
});
const entitlement = (more: object = {}): object => ({
  id: 'e1',
  type: 'metered',
  subjectKey: 'acme',
  featureKey: 'tokens',
  featureId: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  currentUsagePeriod: { from: '2026-11-01T00:00:00Z', to: '2026-12-31T00:00:00Z' },
  ...more,
});
const history = (balances: object): object => ({
  history: { windowedHistory: [], burndownHistory: [{ grantBalancesAtEnd: {} }, { grantBalancesAtEnd: balances }] },
});

async function read(grants: object, entitlements: object, fullAmounts = false): Promise<unknown[]> {
  const files = { grants: join(dir, 'grants.json'), entitlements: join(dir, 'entitlements.json') };
  await writeFile(files.grants, JSON.stringify(grants));
  await writeFile(files.entitlements, JSON.stringify(entitlements));
  const source = await openMeterSource({ ...files, feature: 'tokens', fullAmounts, unit: 'tokens' });
  const records = await Array.fromAsync(source.records);
  return records.map((record) => (record.kind === 'lot' ? { ...record, left: decimalText(record.left) } : record));
}

describe("OpenMeter's grants", () => {
  test('are lots of what their history has left of them', async () => {
    const page = {
      items: [grant('g1'), grant('g2'), grant('g3', { voidedAt: '2026-02-01T00:00:00Z' })],
      totalCount: 3,
      page: 1,
    };
    expect(await read(page, [entitlement(history({ g1: 40.5 }))])).toMatchObject([
      {
        kind: 'lot',
        externalId: 'g1',
        customer: { id: 'acme' },
        unit: 'tokens',
        left: '40.5',
        source: 'promotion',
        priority: 5,
        effectiveAt: '2026-01-01T00:00:00.000Z',
        expiresAt: '2027-01-01T00:00:00.000Z',
        adjustments: [],
        endedBecause: null,
      },
      { externalId: 'g2', left: '0' },
      { externalId: 'g3', endedBecause: 'it was voided at 2026-02-01T00:00:00.000Z' },
    ]);
  });

  test('are taken as unused only when that is said', async () => {
    expect(await read([grant('g1')], [entitlement()])).toMatchObject([
      { kind: 'unreadable', externalId: 'g1', customerId: 'acme', reason: expect.stringContaining('--full-amounts') },
    ]);
    expect(await read([grant('g1')], [entitlement()], true)).toMatchObject([{ kind: 'lot', left: '100' }]);
  });

  test('that recur are imported until their next turn', async () => {
    const recurring = grant('g1', {
      recurrence: { interval: 'MONTH', anchor: '2026-01-01T00:00:00Z' },
      nextRecurrence: '2027-01-01T00:00:00Z',
      expiresAt: null,
    });
    expect(await read([recurring], [entitlement()], true)).toMatchObject([
      { left: '100', expiresAt: '2027-01-01T00:00:00.000Z', adjustments: [expect.stringContaining('does not recur')] },
    ]);
  });

  test('that roll over in part are two lots, which sum to what is left', async () => {
    const grants = [
      grant('g1', { maxRolloverAmount: 30 }),
      grant('g2', { maxRolloverAmount: 0, minRolloverAmount: 10 }),
      grant('g3', { maxRolloverAmount: 100 }),
    ];
    expect(await read(grants, [entitlement()], true)).toMatchObject([
      {
        externalId: 'g1',
        left: '70',
        expiresAt: '2026-12-31T00:00:00.000Z',
        adjustments: [expect.stringContaining('70 of it')],
      },
      { externalId: 'g1:rollover', left: '30', expiresAt: '2027-01-01T00:00:00.000Z' },
      {
        externalId: 'g2',
        left: '100',
        adjustments: [expect.stringContaining('filled up to 10'), expect.stringContaining('100 of it')],
      },
      { externalId: 'g3', left: '100', adjustments: [] },
    ]);
  });

  test('of other features, and with priorities that Scrip does not have, say so', async () => {
    const entitlements = [
      entitlement(),
      entitlement({ id: 'e2', featureKey: 'seats', subjectKey: undefined, customerKey: 'beta' }),
    ];
    expect(
      await read([grant('g1', { priority: 200 }), grant('g2', { entitlementId: 'e2' })], entitlements, true),
    ).toMatchObject([
      { priority: 100, adjustments: ['priority 200 becomes 100'] },
      { customer: { id: 'beta' }, endedBecause: 'it is of the feature seats' },
    ]);
  });

  test('that cannot be understood are refused, an entitlement that cannot stops all', async () => {
    expect(
      await read([grant('g1', { amount: null }), grant('g2', { entitlementId: 'e9' })], [entitlement()], true),
    ).toMatchObject([
      { kind: 'unreadable', externalId: 'g1', reason: 'amount is needed' },
      { kind: 'unreadable', externalId: 'g2', reason: 'the entitlement e9 is not among the entitlements' },
    ]);
    await expect(read([], [entitlement({ featureKey: null })])).rejects.toThrow(WrongUse);
    await expect(read([], [entitlement({ featureKey: null })])).rejects.toThrow(
      'record 1 (line 1): featureKey is needed',
    );
  });
});
