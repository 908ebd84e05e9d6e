import type { Catalog, CreditProduct, Plan, PlanPolicy } from '#ledger/catalog.js';
import { parseForm } from '../../../apps/stripe-sandbox/core/api/params.js';
import { Sandbox } from '../../../apps/stripe-sandbox/core/sandbox.js';
import { World } from '../../../apps/stripe-sandbox/core/world.js';
import { program } from '../../../apps/stripe-sandbox/program.js';

/** A currency of each number of decimals, and one whose amounts are multiples of a hundred. */
export const currencies = ['usd', 'jpy', 'kwd', 'isk'] as const;
export type Currency = (typeof currencies)[number];
/** What a dollar is in minor units of each. */
const dollar: Readonly<Record<Currency, number>> = { usd: 100, jpy: 150, kwd: 300, isk: 14_000 };

type Sort = {
  readonly name: string;
  readonly dollars: number;
  readonly credits: number;
  readonly policy: Required<PlanPolicy>;
};

/** Plans of every policy, from small to large. */
const sorts: readonly Sort[] = [
  {
    name: 'small',
    dollars: 10,
    credits: 100,
    policy: { trialCredits: 10, rolloverCap: 0, proratedUpgrade: true, downgradeClawback: false },
  },
  {
    name: 'strict',
    dollars: 25,
    credits: 310,
    policy: { trialCredits: 0, rolloverCap: 0, proratedUpgrade: false, downgradeClawback: true },
  },
  {
    name: 'kind',
    dollars: 40,
    credits: 503,
    policy: { trialCredits: 25, rolloverCap: 120, proratedUpgrade: true, downgradeClawback: false },
  },
  {
    name: 'large',
    dollars: 99,
    credits: 1501,
    policy: { trialCredits: 50, rolloverCap: 0, proratedUpgrade: true, downgradeClawback: true },
  },
];

export type Interval = 'month' | 'year';
export type Offer = {
  readonly priceId: string;
  readonly planId: string;
  readonly interval: Interval;
  readonly currency: Currency;
  readonly amount: number;
  readonly creditsPerMonth: number;
  readonly policy: Required<PlanPolicy>;
};
export type Pack = {
  readonly id: string;
  readonly credits: number;
  readonly expiresAfterDays: number | null;
  readonly currency: Currency;
  readonly amount: number;
};
/** What is sold beside plans, and buys no credits. */
export type Extra = {
  readonly priceId: string;
  /** `listed`: a plan of 0 credits in the catalogue. `unlisted`: the catalogue does not know it. `metered`: billed by use, not known either. */
  readonly sort: 'listed' | 'unlisted' | 'metered';
  readonly interval: Interval;
  readonly currency: Currency;
};
export const METER_EVENT = 'api_calls';
export const freePlan = { id: 'free', creditsPerMonth: 40 } as const;

/** Everything that customers can buy: at Stripe, and the same in Scrip's catalogue. */
export type Market = {
  readonly world: World;
  readonly offers: readonly Offer[];
  readonly extras: readonly Extra[];
  readonly packs: readonly Pack[];
  readonly taxRates: readonly string[];
  /** Some by percentage, some by amount, for once, for months and for ever; some more than what the smallest plan costs. */
  readonly coupons: readonly string[];
  readonly catalog: Catalog;
};

const SEED = 0x5eed;

/** Opens the market at `time` (seconds). Always with the same ids. */
export function openMarket(time: number): Market {
  const world = new World(SEED, time, 'http://sandbox');
  const sandbox = new Sandbox(world, program);
  const make = (path: string, form: string): string => {
    const request = {
      method: 'POST',
      path: `/v1/${path}`,
      params: parseForm(form),
      apiKey: 'sk_test_1',
      idempotencyKey: null,
      version: null,
    };
    const { status, body } = sandbox.handle(request);
    if (status !== 200) throw new Error(body);
    return (JSON.parse(body) as { id: string }).id;
  };
  const offers = currencies.flatMap((currency) =>
    sorts.flatMap(({ name, dollars, credits, policy }) => {
      const product = make('products', `name=${name}`);
      return (['month', 'year'] as const).map((interval): Offer => {
        const amount = dollars * dollar[currency] * (interval === 'year' ? 10 : 1);
        const form = `product=${product}&currency=${currency}&unit_amount=${String(amount)}&recurring[interval]=${interval}`;
        const planId = `${name}-${currency}`;
        return {
          priceId: make('prices', form),
          planId,
          interval,
          currency,
          amount,
          creditsPerMonth: credits,
          policy,
        };
      });
    }),
  );
  const extras = extrasOf(make);
  const packs = currencies.flatMap((currency): readonly Pack[] => [
    { id: `pack-${currency}`, credits: 333, expiresAfterDays: null, currency, amount: 7 * dollar[currency] },
    { id: `brief-${currency}`, credits: 1000, expiresAfterDays: 90, currency, amount: 15 * dollar[currency] },
  ]);
  const taxRates = ['true', 'false'].map((inclusive) =>
    make('tax_rates', `display_name=VAT&percentage=19&inclusive=${inclusive}`),
  );
  const amounts = currencies
    .map((currency) =>
      currency === 'usd' ? '' : `&currency_options[${currency}][amount_off]=${String(15 * dollar[currency])}`,
    )
    .join('');
  const coupons = [
    'percent_off=25&duration=forever',
    'percent_off=33.3&duration=once',
    'percent_off=100&duration=once',
    'percent_off=100&duration=repeating&duration_in_months=2',
    `amount_off=1500&currency=usd&duration=repeating&duration_in_months=5${amounts}`,
  ].map((form) => make('coupons', form));
  return { world, offers, extras, packs, taxRates, coupons, catalog: catalogOf(offers, extras, packs) };
}

function extrasOf(make: (path: string, form: string) => string): readonly Extra[] {
  const meter = make('billing/meters', `display_name=Calls&event_name=${METER_EVENT}&default_aggregation[formula]=sum`);
  const product = make('products', 'name=Extra');
  return currencies.flatMap((currency) =>
    (['month', 'year'] as const).flatMap((interval) =>
      (['listed', 'unlisted', 'metered'] as const).map((sort): Extra => {
        const amount = String((sort === 'metered' ? 1 : 3) * dollar[currency]);
        const usage = sort === 'metered' ? `&recurring[usage_type]=metered&recurring[meter]=${meter}` : '';
        const price = `product=${product}&currency=${currency}&unit_amount=${amount}&recurring[interval]=${interval}${usage}`;
        return { priceId: make('prices', price), sort, interval, currency };
      }),
    ),
  );
}

function catalogOf(offers: readonly Offer[], extras: readonly Extra[], packs: readonly Pack[]): Catalog {
  const plans = [...new Set(offers.map(({ planId }) => planId))].map((id): Plan => {
    const [monthly, yearly] = (['month', 'year'] as const).map((interval) => {
      const offer = offers.find((one) => one.planId === id && one.interval === interval)!;
      return { money: { amount: offer.amount, currency: offer.currency }, stripePriceId: offer.priceId };
    });
    const { creditsPerMonth, policy } = offers.find(({ planId }) => planId === id)!;
    const words = { name: id, description: null, free: false, trialDays: null, features: [], limits: {} };
    return { id, ...words, monthly: monthly!, yearly: yearly!, creditsPerMonth, policy };
  });
  const listed = currencies.map((currency): Plan => {
    const [monthly, yearly] = (['month', 'year'] as const).map((interval) => {
      const extra = extras.find(
        (one) => one.sort === 'listed' && one.currency === currency && one.interval === interval,
      )!;
      return { money: { amount: 3 * dollar[currency], currency }, stripePriceId: extra.priceId };
    });
    const id = `extra-${currency}`;
    const words = { name: id, description: null, free: false, trialDays: null, features: [], limits: {} };
    return { id, ...words, monthly: monthly!, yearly: yearly!, creditsPerMonth: 0 };
  });
  const free: Plan = {
    ...freePlan,
    name: 'Free',
    description: null,
    monthly: null,
    yearly: null,
    free: true,
    trialDays: null,
    features: [],
    limits: {},
  };
  const creditProducts = packs.map(({ id, credits, expiresAfterDays, amount, currency }): CreditProduct => ({
    id,
    name: id,
    credits,
    price: { amount, currency },
    stripePriceId: null,
    expiresAfterDays,
  }));
  return { plans: [free, ...plans, ...listed], creditProducts, creditEvents: [] };
}
