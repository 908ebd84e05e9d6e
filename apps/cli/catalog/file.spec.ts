import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { catalogDecider } from '#ledger/catalog.js';
import { CatalogFileError, parseCatalog } from './file.js';

const problemsOf = (text: string): readonly string[] => {
  try {
    parseCatalog(text);
    return [];
  } catch (error) {
    if (error instanceof CatalogFileError) return error.problems;
    throw error;
  }
};

describe('the catalogue file', () => {
  const example = readFileSync('catalog.yaml', 'utf8');

  it('is the example that Scrip ships', () => {
    const { plans, creditProducts, creditEvents } = parseCatalog(example);
    expect(plans.map(({ id }) => id)).toEqual(['free', 'starter', 'pro', 'pro-plus', 'enterprise']);
    expect(plans[0]).toMatchObject({ free: true, creditsPerMonth: 100, monthly: null, trialDays: null });
    expect(creditProducts.map(({ credits }) => credits)).toEqual([50, 500, 1000, 5000, 10000]);
    expect(Object.fromEntries(creditEvents.map(({ id, price }) => [id, price]))).toEqual({
      api_call_basic: { kind: 'flat', cost: 1 },
      api_call_premium: { kind: 'flat', cost: 5 },
      storage_gb_month: { kind: 'flat', cost: 10 },
      ai_inference: { kind: 'flat', cost: 25 },
    });
  });

  it('takes rules that set Stripe events aside, and finds what is wrong with them', () => {
    const file = (rule: string): string => `plans: []\nignore: [${rule}]`;
    expect(parseCatalog(file("{ type: 'invoice.*', product: prod_9, reason: of the shop }")).ignore).toEqual([
      { type: 'invoice.*', product: 'prod_9', reason: 'of the shop' },
    ]);
    expect(problemsOf(file('{ reason: everything }'))).toHaveLength(1);
    expect(problemsOf(file('{ metadata: { app: 7 }, reason: x }'))).not.toEqual([]);
    expect(problemsOf(file('{ type: invoice.paid }'))).toEqual(['catalog.ignore[0].reason is needed']);
    expect(problemsOf(file('{ typ: invoice.paid, price: price_1, reason: x }'))).toEqual([
      'catalog.ignore[0].typ is not a known key',
    ]);
  });

  it('means the same each time, so that applying it twice changes nothing', () => {
    const moment = { at: '2026-01-01T00:00:00.000Z', revision: 0, commandId: '', past: null };
    const first = catalogDecider.decide(
      catalogDecider.initial('catalog'),
      { type: 'ApplyCatalog', catalog: parseCatalog(example) },
      moment,
    );
    expect(first).toHaveLength(14);
    const state = [...first].reduce(
      (before, event) => catalogDecider.evolve(before, event, 0),
      catalogDecider.initial('catalog'),
    );
    expect(catalogDecider.decide(state, { type: 'ApplyCatalog', catalog: parseCatalog(example) }, moment)).toEqual([]);
  });

  it('may say what a plan gives beyond its months, and says nothing that the file does not', () => {
    const plan = (more: string) => parseCatalog(`plans: [{ id: a, name: A, creditsPerMonth: 1${more} }]`).plans[0];
    expect(plan('')).not.toHaveProperty('policy');
    expect(plan(', policy: { trialCredits: 50, rolloverCap: 200, downgradeClawback: true }')?.policy).toEqual({
      trialCredits: 50,
      rolloverCap: 200,
      downgradeClawback: true,
    });
    expect(plan(', policy: { proratedUpgrade: false }')?.policy).toEqual({ proratedUpgrade: false });
  });

  it('may limit the use of features in three windows, or in none', () => {
    const limits = '{ videos: { day: 3, month: 60, period: 50 }, calls: {} }';
    const text = `plans: [{ id: a, name: A, creditsPerMonth: 1, features: [api], limits: ${limits} }]`;
    expect(parseCatalog(text).plans[0]).toMatchObject({
      features: ['api'],
      limits: { videos: { day: 3, month: 60, period: 50 }, calls: {} },
    });
  });

  it('may price in tiers', () => {
    const text = 'creditEvents: [{ id: a, name: A, tiers: [{ upTo: 10, cost: 2 }, { cost: 1 }] }]';
    expect(parseCatalog(text).creditEvents[0]?.price).toEqual({
      kind: 'tiered',
      tiers: [
        { upTo: 10, cost: 2 },
        { upTo: null, cost: 1 },
      ],
    });
  });

  it.each([
    ['plans: 3', 'catalog.plans must be a list'],
    ['plan: []', 'catalog.plan is not a known key'],
    ['- 1', 'catalog must be a mapping'],
    ['plans: [1]', 'catalog.plans[0] must be a mapping'],
    ['plans: [{ id: a, name: A }]', 'catalog.plans[0].creditsPerMonth is needed'],
    ['plans: [{ id: a, name: A, creditsPerMonth: -1 }]', 'catalog.plans[0].creditsPerMonth must be a whole number'],
    ['plans: [{ id: a, name: A, creditsPerMonth: 1.5 }]', 'catalog.plans[0].creditsPerMonth must be a whole number'],
    ['plans: [{ id: a, name: A, creditsPerMonth: 1, policy: { rollover: 1 } }]', 'policy.rollover is not a known key'],
    ['plans: [{ id: a, name: A, creditsPerMonth: 1, policy: { proratedUpgrade: 1 } }]', 'must be true or false'],
    ['plans: [{ id: a, name: A, creditsPerMonth: 1, features: [api, api] }]', 'features must be a list of names, each'],
    ['plans: [{ id: a, name: A, creditsPerMonth: 1, features: [a/b] }]', 'features must be a list of names, each'],
    ['plans: [{ id: a, name: A, creditsPerMonth: 1, limits: { calls: 3 } }]', 'limits.calls must be a mapping'],
    ['plans: [{ id: a, name: A, creditsPerMonth: 1, limits: { c: { week: 3 } } }]', 'limits.c.week is not a known key'],
    ['plans: [{ id: a, name: A, creditsPerMonth: 1, limits: { c: { day: -3 } } }]', 'limits.c.day must be a whole'],
    [
      'plans: [{ id: a, name: A, creditsPerMonth: 1, limits: { c d: { day: 3 } } }]',
      'limits must be a mapping of names',
    ],
    ['plans: [{ id: a b, name: A, creditsPerMonth: 1 }]', 'catalog.plans[0].id may hold'],
    ['plans: [{ id: a, name: A, creditsPerMonth: 1, freee: true }]', 'catalog.plans[0].freee is not a known key'],
    ['plans: [{ id: a, name: A, creditsPerMonth: 1, monthly: { amount: 1, currency: USD } }]', 'three lower-case'],
    ['creditProducts: [{ id: a, name: A, credits: 1, price: { amount: 1, currency: zzz } }]', 'ISO 4217'],
    ['plans: [{ id: a, name: A, creditsPerMonth: 1, free: true, monthly: { amount: 1, currency: usd } }]', 'exclude'],
    ['creditProducts: [{ id: a, name: A, credits: 1 }]', 'catalog.creditProducts[0].price is needed'],
    ['creditProducts: [{ id: a, name: A, credits: 0, price: { amount: 1, currency: usd } }]', 'credits must be'],
    ['creditEvents: [{ id: a, name: A }]', 'cost or tiers is needed'],
    ['creditEvents: [{ id: a, name: A, cost: 1, tiers: [{ cost: 1 }] }]', 'not both'],
    ['creditEvents: [{ id: a, name: A, tiers: [{ upTo: 5, cost: 1 }] }]', 'the last must have none'],
    ['creditEvents: [{ id: a, name: A, tiers: [{ upTo: 5, cost: 1 }, { upTo: 5, cost: 1 }, { cost: 1 }] }]', 'rise'],
    ['creditEvents: [{ id: a, name: A, cost: 1 }, { id: a, name: B, cost: 1 }]', 'used twice: a'],
    [
      'plans: [{ id: a, name: A, creditsPerMonth: 1, monthly: { amount: 1, currency: usd, stripePriceId: price_1 }, yearly: { amount: 9, currency: usd, stripePriceId: price_1 } }]',
      'one stripePriceId is named by plan a, monthly and plan a, yearly',
    ],
    [
      'plans: [{ id: a, name: A, creditsPerMonth: 1, monthly: { amount: 1, currency: usd, stripePriceId: price_1 } }]\ncreditProducts: [{ id: b, name: B, credits: 1, price: { amount: 1, currency: usd }, stripePriceId: price_1 }]',
      'named by plan a, monthly and credit product b',
    ],
    ['a: [', 'Flow'],
  ])('refuses %s', (text, problem) => {
    expect(problemsOf(text).join('\n')).toContain(problem);
  });
});
