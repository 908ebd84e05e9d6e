import { describe, expect, test } from '@jest/globals';
import { eventTypes } from '#ledger/events.js';
import { translatedTypes } from '#stripe/translations/registry.js';
import { flowTable } from './support/stripe/flow-table.js';
import { beginningScenes } from './support/stripe/scenes.js';
import { changingScenes } from './support/stripe/scenes/change.js';

const rows = flowTable();

describe('the table of docs/stripe.md', () => {
  test('names every type of Stripe that is translated, and no other', () => {
    expect([...new Set(rows.flatMap(({ stripeTypes }) => stripeTypes))].sort()).toEqual([...translatedTypes].sort());
  });

  test('has a row for the flow of every scene, and a scene for every row that begins one', () => {
    const played = new Set([...beginningScenes, ...changingScenes].map(({ flow }) => flow));
    const flows = rows.map(({ flow }) => flow);
    expect([...played].filter((flow) => !flows.includes(flow))).toEqual([]);
    expect(flows.filter((flow) => !played.has(flow))).toEqual([
      'what was paid with',
      'invoice',
      'action required',
      'which money paid an invoice',
      'customer',
      'told better by others',
    ]);
  });

  test('names every event that the ledger records of subscriptions, payments and invoices', () => {
    const named = new Set(rows.flatMap(({ records }) => records));
    const ofBilling = eventTypes.filter((type) =>
      /^(Subscription|Trial|Plan(?!P|R)|Cancellation|Payment|Refund|Charge|Dispute|Invoice)/.test(type),
    );
    expect(ofBilling.filter((type) => !named.has(type))).toEqual([]);
  });
});
