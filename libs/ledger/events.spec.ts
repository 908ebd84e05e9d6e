import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import type { Decider, Refused } from '#kernel/decider.js';
import { categoryOf } from '#kernel/stream-name.js';
import { accountDecider } from './account/account.js';
import { catalogDecider } from './catalog.js';
import { customerDecider } from './customer.js';
import {
  dataToStore,
  decodeEvent,
  decodeWith,
  eventTypes,
  isUndecodable,
  schemaVersionOf,
  type LedgerEvent,
} from './events.js';
import { invoiceDecider } from './invoice.js';
import { paymentDecider } from './payment/payment.js';
import { stripeEventDecider } from './stripe/event.js';
import { stripeCustomerDecider } from './stripe/customer.js';
import { stripeIntentDecider } from './stripe/intent.js';
import { subscriptionDecider } from './subscription/subscription.js';
import { usageDecider } from './usage/usage.js';

/** An event as it was stored when its version was current, after those that came before it in its stream. Never edited. */
type Stored = { readonly type: string; readonly schemaVersion: number; readonly data: object };
type Golden = Stored & { readonly stream: string; readonly after: readonly Stored[] };

const directory = new URL('../../test/fixtures/events/', import.meta.url);
const files = readdirSync(directory);
const golden = (file: string) => JSON.parse(readFileSync(new URL(file, directory), 'utf8')) as Golden;

const deciders = new Map(
  [
    accountDecider,
    catalogDecider,
    customerDecider,
    invoiceDecider,
    paymentDecider,
    stripeCustomerDecider,
    stripeEventDecider,
    stripeIntentDecider,
    subscriptionDecider,
    usageDecider,
  ].map((decider) => [decider.category, decider as unknown as Decider<unknown, LedgerEvent, unknown, Refused>]),
);

function decoded({ type, schemaVersion, data }: Stored): LedgerEvent {
  const event = decodeEvent({ type, schemaVersion, data: JSON.stringify(data) });
  if (isUndecodable(event)) throw new Error(event.undecodable);
  return event;
}

test('every event type has a golden fixture of each of its versions, and no fixture is of another', () => {
  const expected = eventTypes.flatMap((type) =>
    Array.from({ length: schemaVersionOf(type) }, (_, index) => `${type}.v${String(index + 1)}.json`),
  );
  expect(files.sort()).toEqual(expected.sort());
});

describe.each(files)('%s', (file) => {
  test('is read, and its stream is folded with it', () => {
    const fixture = golden(file);
    expect(file).toBe(`${fixture.type}.v${String(fixture.schemaVersion)}.json`);
    const decider = deciders.get(categoryOf(fixture.stream));
    if (decider === undefined) throw new Error(`no decider of ${fixture.stream}`);
    const before = fixture.after.map(decoded);
    const event = decoded(fixture);
    const state = before.reduce(
      (folded, each, revision) => decider.evolve(folded, each, revision),
      decider.initial(fixture.stream),
    );
    expect(() => decider.evolve(state, event, before.length)).not.toThrow();
    if (fixture.schemaVersion === schemaVersionOf(event.type)) expect(dataToStore(event)).toEqual(fixture.data);
  });
});

describe('reading stored events', () => {
  const table = {
    CustomerErased: [
      (data: object) => ({ ...data, at: '2026-01-01T00:00:00.000Z' }),
      (data: object) => ({ ...data, customerId: 'renamed' }),
    ],
  };
  const stored = (schemaVersion: number, data = '{"customerId":"acme"}') => ({
    type: 'CustomerErased',
    schemaVersion,
    data,
  });

  test('an old version goes through every later step, the current one through none', () => {
    expect(decodeWith(table, stored(1))).toEqual({
      type: 'CustomerErased',
      at: '2026-01-01T00:00:00.000Z',
      customerId: 'renamed',
    });
    expect(decodeWith(table, stored(2))).toEqual({ type: 'CustomerErased', customerId: 'renamed' });
    expect(decodeWith(table, stored(3))).toEqual({ type: 'CustomerErased', customerId: 'acme' });
  });

  test.each([
    [stored(4), 'knows up to 3'],
    [stored(0), 'knows up to 3'],
    [stored(1.5), 'knows up to 3'],
    [stored(1, '[]'), 'not a JSON object'],
    [stored(1, 'null'), 'not a JSON object'],
    [stored(1, '{'), 'not a JSON object'],
    [{ ...stored(1), type: 'Unheard' }, 'unknown event type Unheard'],
    [{ ...stored(1), type: 'toString' }, 'unknown event type toString'],
  ])('%j is not read, with a reason', (event, reason) => {
    expect(decodeWith(table, event)).toEqual({ undecodable: expect.stringContaining(reason) });
  });
});
