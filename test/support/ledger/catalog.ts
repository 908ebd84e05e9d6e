import { catalogDecider, emptyCatalog, type Catalog, type CatalogState } from '#ledger/catalog.js';

/** A small catalogue whose Stripe prices are those of test/fixtures/stripe. */
export const catalog: Catalog = {
  plans: [
    {
      id: 'free',
      name: 'Free',
      description: null,
      monthly: null,
      yearly: null,
      creditsPerMonth: 100,
      free: true,
      trialDays: null,
      features: [],
      limits: {},
    },
    {
      id: 'starter',
      name: 'Starter',
      description: null,
      monthly: { money: { amount: 2000, currency: 'usd' }, stripePriceId: 'price_starter_month' },
      yearly: { money: { amount: 20000, currency: 'usd' }, stripePriceId: 'price_starter_year' },
      creditsPerMonth: 500,
      free: false,
      trialDays: 14,
      features: ['api'],
      limits: { seats: { month: 1 } },
    },
  ],
  creditProducts: [
    {
      id: 'credits_1000',
      name: '1,000 credits',
      credits: 1000,
      price: { amount: 500, currency: 'usd' },
      stripePriceId: null,
      expiresAfterDays: null,
    },
  ],
  creditEvents: [
    { id: 'api_call', name: 'API call', description: null, category: null, price: { kind: 'flat', cost: 1 } },
  ],
};

/** The state of a catalogue stream to which only this was applied. */
export function catalogState(wanted: Catalog = catalog): CatalogState {
  const moment = { at: '2026-01-01T00:00:00.000Z', revision: 0, commandId: '', past: null };
  const events = catalogDecider.decide(emptyCatalog, { type: 'ApplyCatalog', catalog: wanted }, moment);
  return events.reduce((state, event, revision) => catalogDecider.evolve(state, event, revision), emptyCatalog);
}
