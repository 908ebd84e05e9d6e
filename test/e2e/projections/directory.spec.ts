import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { instantOf, msOf } from '#kernel/instant.js';
import { createApiKey, findApiKey, hashOfSecret, listApiKeys, revokeApiKey, touchApiKey } from '#records/api-keys.js';
import { asCustomer } from '#database/as-customer.js';
import { contactOf, eraseContact, putContact } from '#records/contacts.js';
import { type CatalogueKind } from '../../../projections/catalogue/catalogue.js';
import { onSaleOf, plansOf } from '../../../projections/catalogue/queries.js';
import { customerById, searchCustomers } from '../../../projections/customers/queries.js';
import { parkedEvents } from '../../../projections/parked-events/queries.js';
import type { AnyCommand } from '../../support/ledger/ledger-writer.js';
import { ProjectionWorld } from '../../support/worlds/projection-world.js';
import { allOf } from '../../support/api/all-of.js';
const start = '2026-11-01T00:00:00.000Z';
const at = (second: number): string => instantOf(msOf(start) + second * 1000);

let world: ProjectionWorld;
const run = (stream: string, command: AnyCommand, second: number) => world.writer.run(stream, command, at(second));
const caughtUp = async (): Promise<void> => world.reached(await world.store.head());

beforeAll(async () => {
  world = await ProjectionWorld.open();
  world.work();
});
afterAll(() => world.close());

describe('customers', () => {
  it('are found by id, name and e-mail, newest first', async () => {
    for (const [index, id] of ['cust_a', 'cust_b', 'CUST_C', 'x%y'].entries())
      await run(`customer-${id}`, { type: 'RegisterCustomer', customerId: id }, 20 + index);
    await putContact(world.db, 'cust_a', { name: 'Zoë Corp', email: 'zoe@example.org', metadata: { tier: 1 } }, start);
    await caughtUp();
    const ids = async (text: string | null) =>
      (await allOf((cursor) => searchCustomers(world.db, text, 2, cursor))).map(({ id }) => id);
    expect(await ids('cust_')).toEqual(['CUST_C', 'cust_b', 'cust_a']);
    expect(await ids('zoë')).toEqual(['cust_a']);
    expect(await ids('EXAMPLE.org')).toEqual(['cust_a']);
    expect(await ids('%')).toEqual(['x%y']);
    expect(await ids(null)).toEqual(['x%y', 'CUST_C', 'cust_b', 'cust_a']);
    expect(await customerById(world.db, 'cust_a')).toEqual({
      id: 'cust_a',
      name: 'Zoë Corp',
      email: 'zoe@example.org',
      metadata: { tier: 1 },
      stripeCustomerId: null,
      createdAt: at(20),
      erasedAt: null,
    });
    expect(await customerById(world.db, 'nobody')).toBeNull();
  });

  it('keep their contact when only a part changes, and lose all of it on request', async () => {
    await putContact(world.db, 'person', { name: 'N', email: 'e@x', metadata: { a: 1 } }, start);
    expect(await putContact(world.db, 'person', { email: null }, start)).toEqual({
      name: 'N',
      email: null,
      metadata: { a: 1 },
    });
    await eraseContact(world.db, 'person');
    expect(await contactOf(world.db, 'person')).toBeNull();
  });

  it('keep the Stripe customer under which they buy, and show that they were erased', async () => {
    const observed = (stripeCustomerId: string, relation: string, version: number) => ({
      type: 'ObserveStripeCustomer',
      customerId: 'linked',
      stripeCustomerId,
      since: at(stripeCustomerId === 'cus_1' ? 1 : 2),
      relation,
      version,
    });
    await run('customer-linked', observed('cus_2', 'linked', 1), 30);
    await run('customer-linked', observed('cus_1', 'linked', 1), 31);
    await caughtUp();
    expect(await customerById(world.db, 'linked')).toMatchObject({ stripeCustomerId: 'cus_1' });
    await run('customer-linked', observed('cus_1', 'deleted', 2), 31);
    await run('customer-linked', { type: 'EraseCustomer', customerId: 'linked' }, 32);
    await caughtUp();
    expect(await customerById(world.db, 'linked')).toMatchObject({
      stripeCustomerId: 'cus_2',
      createdAt: at(30),
      erasedAt: at(32),
    });
  });
});

describe('the catalogue', () => {
  it('shows what is on sale, and what was on request', async () => {
    const plan = {
      id: 'pro',
      name: 'Pro',
      description: null,
      monthly: null,
      yearly: null,
      creditsPerMonth: 10,
      free: false,
      trialDays: null,
      features: [],
      limits: {},
    };
    const pack = {
      id: 'pack',
      name: 'Pack',
      credits: 50,
      price: { amount: 500, currency: 'usd' },
      stripePriceId: null,
      expiresAfterDays: null,
    };
    const call = { id: 'call', name: 'Call', description: null, category: null, price: { kind: 'flat', cost: 1 } };
    const apply = (catalog: object, second: number) => run('catalog', { type: 'ApplyCatalog', catalog }, second);
    await apply({ plans: [plan], creditProducts: [pack], creditEvents: [call] }, 40);
    await apply({ plans: [{ ...plan, name: 'Pro 2' }], creditProducts: [], creditEvents: [call] }, 41);
    await caughtUp();
    const onSale = (kind: CatalogueKind) =>
      allOf((cursor) => asCustomer(world.db, 'acme', (reader) => onSaleOf(reader, kind, 2, cursor)));
    expect(await plansOf(world.db)).toEqual([expect.objectContaining({ id: 'pro', name: 'Pro 2', active: true })]);
    expect(await onSale('credit_product')).toEqual([]);
    expect(await onSale('credit_event')).toEqual([{ ...call, active: true }]);
    const others = ['b', 'd', 'a', 'c', 'e'].map((id) => ({ ...call, id }));
    await apply({ plans: [], creditProducts: [], creditEvents: others }, 42);
    await caughtUp();
    expect(await plansOf(world.db)).toEqual([expect.objectContaining({ id: 'pro', active: false })]);
    expect((await onSale('credit_event')).map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});

describe('parked Stripe events', () => {
  it('are listed until they are translated', async () => {
    const received = (id: string) => ({
      type: 'ReceiveStripeEvent',
      stripeEventId: id,
      stripeType: 'invoice.paid',
      created: start,
      livemode: false,
      apiVersion: null,
      payload: {},
    });
    const reason = { code: 'unknown_customer', subject: 'cus_9', detail: 'no customer is linked' };
    for (const [index, id] of ['evt_1', 'evt_2', 'evt_3'].entries()) {
      await run(`stripeEvent-${id}`, received(id), 50 + index);
      await run(`stripeEvent-${id}`, { type: 'ParkStripeEvent', reason }, 50 + index);
    }
    await caughtUp();
    await run('stripeEvent-evt_1', { type: 'RequestRetry' }, 60);
    await run('stripeEvent-evt_2', { type: 'RequestRetry' }, 60);
    await run('stripeEvent-evt_2', { type: 'RecordTranslation', effects: [] }, 61);
    await caughtUp();
    const all = await allOf((cursor) => parkedEvents(world.db, { status: 'parked' }, 1, cursor));
    const common = { type: 'invoice.paid', status: 'parked', reason, setAside: null };
    expect(all).toEqual([
      { id: 'evt_3', ...common, parkedAt: at(52), retryRequestedAt: null },
      { id: 'evt_1', ...common, parkedAt: at(50), retryRequestedAt: at(60) },
    ]);
  });
});

describe('API keys', () => {
  it('are found by the hash of their secret until they are revoked', async () => {
    const { key, secret } = await createApiKey(
      world.db,
      { name: 'ci', scopes: ['credits:read'], at: start },
      randomBytes,
    );
    expect(secret).toMatch(/^scrip_[A-Za-z0-9_-]{43}$/);
    expect(key).toMatchObject({ name: 'ci', scopes: ['credits:read'], createdAt: start, revokedAt: null });
    expect(secret.startsWith(key.prefix)).toBe(true);
    expect(await findApiKey(world.db, hashOfSecret(secret))).toEqual(key);
    expect(await findApiKey(world.db, hashOfSecret(`${secret}x`))).toBeNull();
    await touchApiKey(world.db, key.id, at(5));
    expect(await revokeApiKey(world.db, key.id, at(6))).toMatchObject({ revokedAt: at(6) });
    expect(await revokeApiKey(world.db, key.id, at(7))).toMatchObject({ revokedAt: at(6), lastUsedAt: at(5) });
    expect(await revokeApiKey(world.db, 'key_none', at(7))).toBeNull();
    expect(await findApiKey(world.db, hashOfSecret(secret))).toBeNull();
    expect((await listApiKeys(world.db, 200, null)).data.map(({ id }) => id)).toContain(key.id);
    const stored = await world.db.query({ text: 'select * from scrip_app.api_keys' });
    expect(JSON.stringify(stored)).not.toContain(secret);
  });
});

it('all of it equals the fold of the log', async () => {
  await caughtUp();
  expect(await world.differences()).toEqual([]);
});
