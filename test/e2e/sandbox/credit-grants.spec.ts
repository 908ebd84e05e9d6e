import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';
import { DAY, SandboxWorld, START } from '../../support/processes/running-sandbox.js';

let world: SandboxWorld;
let customer: Stripe.Customer;

beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.reset();
  customer = await world.customer();
});

const grant = (more: Partial<Stripe.Billing.CreditGrantCreateParams> = {}): Promise<Stripe.Billing.CreditGrant> =>
  world.stripe.billing.creditGrants.create({
    customer: customer.id,
    amount: { type: 'monetary', monetary: { currency: 'usd', value: 1000 } },
    applicability_config: { scope: { price_type: 'metered' } },
    ...more,
  });
const left = async (id: string): Promise<number | undefined> => {
  const summary = await world.stripe.billing.creditBalanceSummaries.retrieve({
    customer: customer.id,
    filter: { type: 'credit_grant', credit_grant: id },
  });
  return summary.balances[0]?.available_balance.monetary?.value;
};
const moves = async (id: string): Promise<unknown[]> => {
  const list = await world.stripe.billing.creditBalanceTransactions.list({ customer: customer.id, credit_grant: id });
  return list.data.map(({ credit, debit }) => [credit?.type ?? debit?.type, (credit ?? debit)?.amount.monetary?.value]);
};
const apply = (id: string, amount: number): Promise<unknown> =>
  world.control('POST', `/credit_grants/${id}/apply`, { amount, invoice: 'in_test' });

describe('billing credit grants', () => {
  it('are made, shown and listed with all that Stripe gives them', async () => {
    const made = await grant({ name: 'Bought', metadata: { a: 'b' }, priority: 3, category: 'promotional' });
    expect(made).toMatchObject({
      id: expect.stringMatching(/^credgr_/),
      object: 'billing.credit_grant',
      amount: { type: 'monetary', monetary: { currency: 'usd', value: 1000 } },
      applicability_config: { scope: { price_type: 'metered' } },
      category: 'promotional',
      created: START,
      customer: customer.id,
      effective_at: START,
      expires_at: null,
      metadata: { a: 'b' },
      name: 'Bought',
      priority: 3,
      voided_at: null,
    });
    const plain = await grant();
    expect([plain.category, plain.priority]).toEqual(['paid', 50]);
    const list = await world.stripe.billing.creditGrants.list({ expand: ['data.customer'], limit: 1 });
    expect(list).toMatchObject({ has_more: true, data: [{ id: plain.id, customer: { id: customer.id } }] });
    expect(await world.stripe.billing.creditGrants.retrieve(made.id)).toMatchObject({ id: made.id });
    expect((await world.stripe.billing.creditGrants.list({ customer: (await world.customer()).id })).data).toEqual([]);
    expect(await moves(made.id)).toEqual([['credits_granted', 1000]]);
  });

  it('have what invoices, expiry and voiding left of them', async () => {
    const [used, later] = [await grant(), await grant({ effective_at: START + DAY })];
    await apply(used.id, 300);
    expect([await left(used.id), await left(later.id)]).toEqual([700, 0]);
    await world.stripe.billing.creditGrants.update(used.id, { expires_at: START + 2 * DAY, metadata: { seen: '1' } });
    await world.advance(DAY);
    expect([await left(used.id), await left(later.id)]).toEqual([700, 1000]);
    await world.advance(DAY);
    expect(await moves(used.id)).toEqual([
      ['credits_expired', 700],
      ['credits_applied', 300],
      ['credits_granted', 1000],
    ]);
    const voided = await world.stripe.billing.creditGrants.voidGrant(later.id);
    expect([voided.voided_at, await left(later.id)]).toEqual([START + 2 * DAY, 0]);
    const ended = await world.stripe.billing.creditGrants.expire((await grant()).id);
    expect([ended.expires_at, await left(ended.id)]).toEqual([START + 2 * DAY, 0]);
  });

  it('sum by currency over a scope', async () => {
    await Promise.all([
      grant(),
      grant(),
      grant({ amount: { type: 'monetary', monetary: { currency: 'eur', value: 5 } } }),
    ]);
    const { balances } = await world.stripe.billing.creditBalanceSummaries.retrieve({
      customer: customer.id,
      filter: { type: 'applicability_scope', applicability_scope: { price_type: 'metered' } },
    });
    expect(balances.map(({ ledger_balance: { monetary } }) => [monetary?.currency, monetary?.value]).sort()).toEqual([
      ['eur', 5],
      ['usd', 2000],
    ]);
  });

  it('refuse what Stripe refuses', async () => {
    const used = await grant();
    await apply(used.id, 1);
    const ended = await world.stripe.billing.creditGrants.expire((await grant()).id);
    const { creditGrants } = world.stripe.billing;
    const wrong = [
      () => grant({ priority: 101 }),
      () => grant({ expires_at: START }),
      () => grant({ customer: 'cus_none' }),
      () => grant({ amount: { type: 'monetary', monetary: { currency: 'usd', value: 0 } } }),
      () => grant({ applicability_config: { scope: {} } }),
      () => creditGrants.voidGrant(used.id),
      () => creditGrants.voidGrant(ended.id),
      () => creditGrants.expire(ended.id),
      () => creditGrants.update(ended.id, { expires_at: '' }),
      () => creditGrants.update(used.id, { expires_at: START }),
      () => creditGrants.retrieve('credgr_none'),
    ];
    for (const call of wrong) await expect(call()).rejects.toThrow();
  });
});
