import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { conservationOf } from '#ledger/account/account.js';
import { ledgerCodec } from '#ledger/events.js';
import { compareProjections } from '#projecting/comparison/compare.js';
import { openDatabase } from '#database/database.js';
import { projectionsFor } from '../../../projections/registry.js';
import { query } from '../../support/databases/postgres.js';
import { ScripInTime } from '../../support/processes/scrip-in-time.js';
import { stripeEvent, stripeFixtures } from '../../support/stripe/events.js';
const PAYLOADS = 400;
const OCTOBER = 1_790_812_860;
let scrip: ScripInTime;
beforeAll(async () => {
  scrip = await ScripInTime.start(OCTOBER);
  await scrip.writer.applyCatalog();
});
afterAll(() => scrip.stop());

type Random = (below: number) => number;
function randomFrom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

const nested = (depth: number): unknown => (depth === 0 ? 'deep' : { object: nested(depth - 1) });
/** What stands where something else was; `undefined` takes the field away. */
const odd: readonly ((random: Random) => unknown)[] = [
  () => undefined,
  () => null,
  () => true,
  () => '',
  () => [],
  () => ({}),
  (random) => random(2 ** 31),
  (random) => -random(2 ** 31),
  () => 1e308,
  () => 0.1,
  () => Number.MAX_SAFE_INTEGER,
  () => 'x'.repeat(200_000),
  () => 'zero \u0000 lone \ud800 flag 🏴‍☠️ \u202eback\u202c عربى',
  () => '__proto__',
  () => Array.from({ length: 500 }, () => ({ id: 'il_1', amount: 1 })),
  () => nested(200),
  () => 'cus_1',
  () => ({ data: [null, 1, {}], has_more: false }),
];

/** A recorded body with some of its fields, the envelope's too, replaced. */
function mutated(index: number, random: Random): string {
  const name = stripeFixtures[random(stripeFixtures.length)]!;
  const body = stripeEvent(name, { id: `evt_odd_${String(index)}` });
  for (let times = 1 + random(4); times > 0; times -= 1) {
    const places: (readonly [Record<string, unknown>, string])[] = [];
    const walk = (node: unknown): void => {
      if (node === null || typeof node !== 'object') return;
      for (const key of Object.keys(node)) {
        places.push([node as Record<string, unknown>, key]);
        walk((node as Record<string, unknown>)[key]);
      }
    };
    // One in eight hits the envelope.
    walk(random(8) === 0 ? body : body.data);
    const [node, key] = places[random(places.length)] ?? [body as unknown as Record<string, unknown>, 'type'];
    const value = odd[random(odd.length)]!(random);
    if (value === undefined) Reflect.deleteProperty(node, key);
    else node[key] = value;
  }
  return JSON.stringify(body);
}

test('whatever a signed payload holds, it is taken, ends translated or parked, and leaves the books in order', async () => {
  const random = randomFrom(20_261_001);
  const bodies = Array.from({ length: PAYLOADS }, (_, index) => mutated(index, random));
  const statuses = new Map<number, number>();
  for (let from = 0; from < bodies.length; from += 20) {
    const answers = await Promise.all(bodies.slice(from, from + 20).map((body) => scrip.send(body)));
    for (const status of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  expect([...statuses]).toEqual([[200, PAYLOADS]]);
  await scrip.livedTo(OCTOBER + 60);

  const outcomes = await query(
    scrip.databaseUrl,
    `select type, count(*)::int as n from scrip_log.events where stream like 'stripeEvent-evt_odd_%' group by type`,
  );
  const counts = new Map(outcomes.map(({ type, n }) => [String(type), Number(n)]));
  expect(counts.get('StripeEventParked')).toBeGreaterThan(PAYLOADS / 20);
  expect(counts.get('StripeEventTranslated')).toBeGreaterThan(PAYLOADS / 20);
});

test('what is in order afterwards is granted', async () => {
  const sold = { id: 'cs_fine', payment_intent: 'pi_fine', client_reference_id: 'fine', metadata: { credits: '7' } };
  const body = stripeEvent('checkout.session.completed.endive', { id: 'evt_fine' }, sold);
  expect(await scrip.send(JSON.stringify(body))).toBe(200);
  await scrip.livedTo(OCTOBER + 120);
  expect((await scrip.writer.handlers.account.load('account-fine')).state.balance.available).toBe(7);
});

test('every account adds up, and the read models are what the log says', async () => {
  const accounts = await query(
    scrip.databaseUrl,
    `select distinct stream from scrip_log.events where stream like 'account-%'`,
  );
  for (const { stream } of accounts) {
    const { state } = await scrip.writer.handlers.account.load(String(stream));
    expect(conservationOf(state).violations).toEqual([]);
  }
  const position = await scrip.writer.store.head();
  const { status } = await scrip.client.get(`/v1/customers/fine/balance?minPosition=${position}&waitMs=10000`);
  expect(status).toBe(200);
  const database = openDatabase(scrip.databaseUrl, { clock: new SystemClock() });
  try {
    const { store } = scrip.writer;
    const found = await compareProjections(store, database, ledgerCodec.decode, projectionsFor(store));
    expect(found.flatMap(({ differences }) => differences)).toEqual([]);
  } finally {
    await database.close();
  }
});
