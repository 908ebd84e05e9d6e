import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { ledgerCodec } from '#ledger/events.js';
import { compareProjections } from '#projecting/comparison/compare.js';
import { openDatabase } from '#database/database.js';
import { projectionsFor } from '../../../projections/registry.js';
import type { Body } from '../../support/api/client.js';
import { eventually } from '../../support/eventually.js';
import { query } from '../../support/databases/postgres.js';
import { DAY, SandboxWorld, START } from '../../support/processes/running-sandbox.js';
import { ScripInTime } from '../../support/processes/scrip-in-time.js';
import { Shop } from '../../support/stripe/shop.js';
import { flowTable } from '../../support/stripe/flow-table.js';
import { beginningScenes, type Ending } from '../../support/stripe/scenes.js';
import { changingScenes } from '../../support/stripe/scenes/change.js';
const scenes = [...beginningScenes, ...changingScenes].map((scene, index) => ({ ...scene, index }));
/** The events of the ledger that a flow's scenes recorded, by flow. */
const recorded = new Map<string, Set<string>>();
let scrip: ScripInTime;
let start = START;

beforeAll(async () => {
  scrip = await ScripInTime.start(START);
});
afterAll(() => scrip.stop());

const customerOf = (index: number): string => `buyer-${String(index)}`;
type Thing = { readonly amount: number; readonly currency: string };

async function answer(path: string, customer: string, position: string): Promise<Body> {
  const { status, body } = await scrip.client.get(
    `/v1/customers/${customer}${path}?minPosition=${position}&waitMs=10000`,
  );
  if (status !== 200) expect([404, body.code]).toEqual([status, expect.stringContaining('not_found')]);
  return body;
}

/** What the API shows a customer, in the words of the scenes. */
async function shown(customer: string): Promise<Required<Ending>> {
  const at = await scrip.writer.store.head();
  const [balance, subscription, payments, invoices] = await Promise.all(
    ['/balance', '/subscription', '/payments', '/invoices'].map((path) => answer(path, customer, at)),
  );
  await answer('/status', customer, at);
  const { plan, status, entitled, cancelAt } = subscription as unknown as Record<string, unknown>;
  const named = plan as { readonly id: string } | undefined;
  return {
    credits: [balance?.available ?? 0, balance?.['held'] ?? 0, balance?.['debt'] ?? 0].join(' ') as Ending['credits'],
    subscription:
      named === undefined
        ? ''
        : [
            named.id,
            status,
            ...(entitled === true ? ['entitled'] : []),
            ...(cancelAt === null ? [] : ['cancels']),
          ].join(' '),
    payments: (payments?.data ?? [])
      .map((payment) => {
        const { type, amount, status: became, method } = payment as unknown as Record<string, unknown>;
        const { amount: paid, currency } = amount as Thing;
        const by = method as { type: string; brand: string | null; last4: string } | null;
        return [String(type), paid, currency, became, ...(by === null ? [] : [by.brand ?? by.type, by.last4])].join(
          ' ',
        );
      })
      .sort(),
    invoices: (invoices?.data ?? []).map((invoice) => String(invoice['status'])).sort(),
  };
}

/** Notes which events of the ledger a customer's scene made. */
async function note(flow: string, since: string): Promise<void> {
  const rows = await query(
    scrip.databaseUrl,
    `select distinct type from scrip_log.events where position > $1 and stream !~ '^(stripeEvent|catalog)'`,
    [since],
  );
  const types = recorded.get(flow) ?? new Set();
  for (const { type } of rows) types.add(String(type));
  recorded.set(flow, types);
}

describe.each(scenes)('$flow: $name', ({ flow, act, ends, index }) => {
  test('ends at the API as it must', async () => {
    const customer = customerOf(index);
    const world = await SandboxWorld.start({ SANDBOX_SEED: String(index + 1), SANDBOX_START_TIME: String(start) });
    const [last] = await query(scrip.databaseUrl, 'select max(position) as position from scrip_log.events');
    let shop: Shop | null = null;
    try {
      world.sandbox.runtime.clock.freeze();
      world.forward = (webhook) => scrip.take(webhook);
      const consume = async (amount: number): Promise<void> => {
        const path = `/v1/customers/${customer}/consumptions`;
        // What was parked at first (its customer was not linked yet) is reported a moment after everything was received.
        await eventually(
          () => scrip.client.post(path, { amount }, `use-${String(index)}`),
          ({ status }) => status === 201,
        );
      };
      shop = await Shop.open(world, customer, { consume, livedTo: (seconds) => scrip.livedTo(seconds) });
      await scrip.writer.applyCatalog(shop.catalog);
      await act(shop);
      await shop.delivered();
      const wanted = { ...ends, ...(ends.payments && { payments: [...ends.payments].sort() }) };
      if (ends.invoices !== undefined) wanted.invoices = [...ends.invoices].sort();
      const isEnded = (found: Ending): boolean =>
        Object.entries({ subscription: '', ...wanted }).every(
          ([part, value]) => JSON.stringify(found[part as keyof Ending]) === JSON.stringify(value),
        );
      const found = await eventually(() => shown(customer), isEnded, 30_000).catch(() => shown(customer));
      expect(found).toMatchObject(wanted);
      await note(flow, String(last?.['position'] ?? '0'));
    } finally {
      start = (shop?.now ?? start) + DAY;
      await world.close();
    }
  });
});

describe('after all of it', () => {
  test('each flow has recorded what its row in docs/stripe.md says', () => {
    const everywhere = new Set([...recorded.values()].flatMap((types) => [...types]));
    // Nothing of the sandbox asks for a person's action on an invoice that renews.
    const missing = flowTable()
      .filter(({ flow }) => flow !== 'action required')
      .flatMap(({ flow, records }) => {
        const types = recorded.get(flow) ?? everywhere;
        return records.filter((type) => !types.has(type)).map((type) => `${flow}: ${type}`);
      });
    expect(missing).toEqual([]);
  });

  test('the read models are what the log says', async () => {
    const database = openDatabase(scrip.databaseUrl, { clock: new SystemClock() });
    try {
      const { store } = scrip.writer;
      const found = await compareProjections(store, database, ledgerCodec.decode, projectionsFor(store));
      expect(found.flatMap(({ differences }) => differences)).toEqual([]);
    } finally {
      await database.close();
    }
  });
});
