import { beforeEach, expect, test } from '@jest/globals';
import { contactIntentId, stripeIntentStream } from '#ledger/stripe/intent.js';
import type { StripeContact } from '#records/contacts.js';
import { StripeClient } from '#stripe/operations/client.js';
import { byTest, InboxWorld } from '../../../test/support/worlds/inbox-world.js';
import { ContactSender } from './contact-sender.js';

let world: InboxWorld;
let contact: StripeContact | null;
/** What was written, and what Stripe answers with. */
let written: string[];
let status: number;
let intents: string[];
let sender: ContactSender;
const signal = new AbortController().signal;

const fetch = (async (address: string, { method, body }: { method: string; body?: string }) => {
  await Promise.resolve();
  written.push(`${method} ${new URL(address).pathname} ${body ?? ''}`);
  const answer = status === 200 ? { id: 'cus_1', object: 'customer' } : { error: { type: 'x', code: 'x' } };
  return new Response(JSON.stringify(answer), { status });
}) as unknown as typeof globalThis.fetch;

async function intend(version: number): Promise<void> {
  const intentId = contactIntentId('cus_1', version);
  intents.push(intentId);
  const intent = {
    intentId,
    customerId: 'acme',
    operation: 'update_customer',
    subject: { stripeCustomerId: 'cus_1' },
  } as const;
  const command = { type: 'IntendStripeCall', ...intent } as const;
  await world.handlers.stripeIntent.execute({ ...byTest, stream: stripeIntentStream(intentId), command });
}

const typesOf = async (version: number): Promise<string[]> =>
  (await world.store.readStream(stripeIntentStream(contactIntentId('cus_1', version)), 0, 10)).map(({ type }) => type);

const changed = (version: number, fields: StripeContact['fields']): Promise<void> => {
  contact = { version, fields };
  return intend(version);
};

beforeEach(async () => {
  world = new InboxWorld();
  [contact, written, status, intents] = [null, [], 200, []];
  const client = new StripeClient({
    secretKey: 'sk_test_1',
    apiBase: null,
    livemode: false,
    clock: world.clock,
    fetch,
  });
  sender = new ContactSender({
    client,
    handlers: world.handlers,
    clock: world.clock,
    pending: () => Promise.resolve(intents),
    contactOf: () => Promise.resolve(contact),
  });
  await world.link('acme', 'cus_1');
});

test('each change is written once, with the fields that were given; an emptied one is emptied', async () => {
  await changed(1, { name: 'Old' });
  expect(await sender.runOnce(signal)).toBe(true);
  await changed(2, { name: null, email: 'new@example.com' });
  expect(await sender.runOnce(signal)).toBe(true);
  expect(await sender.runOnce(signal)).toBe(true);
  expect(written).toEqual([
    'POST /v1/customers/cus_1 name=Old',
    'POST /v1/customers/cus_1 name=&email=new%40example.com',
  ]);
  expect(await typesOf(2)).toEqual(['StripeCallIntended', 'StripeCallAnswered']);
});

test('of many changes only the newest is written, also where its own intent is missing', async () => {
  for (const version of [1, 2, 3]) await changed(version, { name: `v${String(version)}` });
  contact = { version: 4, fields: { name: 'v4' } };
  expect(await sender.runOnce(signal)).toBe(true);
  expect(written).toEqual(['POST /v1/customers/cus_1 name=v4']);
  expect(await typesOf(1)).toEqual(['StripeCallIntended', 'StripeCallLapsed']);
  expect(await typesOf(4)).toEqual(['StripeCallIntended', 'StripeCallAnswered']);
});

test('nothing is written of who was erased', async () => {
  await changed(1, { name: 'Gone' });
  const command = { type: 'EraseCustomer', customerId: 'acme' } as const;
  await world.handlers.customer.execute({ ...byTest, stream: 'customer-acme', command });
  expect(await sender.runOnce(signal)).toBe(true);
  expect(await typesOf(1)).toEqual(['StripeCallIntended', 'StripeCallLapsed']);
  expect(written).toEqual([]);
});

test('a Stripe customer that was corrected to another is left alone', async () => {
  await changed(1, { name: 'Acme' });
  const at = '2026-11-01T00:00:00.000Z';
  const link = { stripeCustomerId: 'cus_1', since: at, relation: 'of_another', version: 9 } as const;
  const command = { type: 'ObserveStripeCustomer', customerId: 'acme', ...link } as const;
  await world.handlers.customer.execute({ ...byTest, stream: 'customer-acme', command });
  expect(await sender.runOnce(signal)).toBe(true);
  expect(written).toEqual([]);
});

test('a key that Stripe does not accept loses no change, a refusal of the contact ends it', async () => {
  await changed(1, { email: 'x@example.com' });
  status = 401;
  expect(await sender.runOnce(signal)).toBe(false);
  status = 400;
  expect(await sender.runOnce(signal)).toBe(true);
  expect(written.length).toBe(2);
  expect(await sender.runOnce(signal)).toBe(true);
  expect(written.length).toBe(2);
});
