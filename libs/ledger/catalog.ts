import { assertNever } from '#kernel/assert.js';
import { isAmount, type Amount, type Money } from '#kernel/amount.js';
import type { Decider } from '#kernel/decider.js';
import type { Instant } from '#kernel/instant.js';
import { canonicalJson, type Json } from '#kernel/json.js';
import type { IgnoreRule } from './ignore-rule.js';

export type PlanPrice = { readonly money: Money; readonly stripePriceId: string | null };
/** What a plan gives beyond its paid months. Left out means the default. */
export type PlanPolicy = {
  /** Granted when a trial starts, for each seat; default 0. */
  readonly trialCredits?: number;
  /** How much of a month's unspent credits goes on into the next; default 0. */
  readonly rolloverCap?: number;
  /** A change to more within a period grants the difference for the rest of it; default true. */
  readonly proratedUpgrade?: boolean;
  /** A change to less takes back what is unspent of the difference; default false. */
  readonly downgradeClawback?: boolean;
};

/** How much of a feature may be used in a day (UTC), a calendar month (UTC), and a period of the subscription. None: no limit. */
export type FeatureLimits = { readonly day?: Amount; readonly month?: Amount; readonly period?: Amount };

export type Plan = {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly monthly: PlanPrice | null;
  readonly yearly: PlanPrice | null;
  /** Granted for each month of a paid (or free) period. */
  readonly creditsPerMonth: number;
  /** Granted monthly without Stripe to the customers on this plan. */
  readonly free: boolean;
  readonly trialDays: number | null;
  readonly features: readonly string[];
  /** Features whose use is limited, with their limits; what is named here need not be named among the features. */
  readonly limits: { readonly [feature: string]: FeatureLimits };
  readonly policy?: PlanPolicy;
};
export type CreditProduct = {
  readonly id: string;
  readonly name: string;
  readonly credits: number;
  readonly price: Money;
  readonly stripePriceId: string | null;
  readonly expiresAfterDays: number | null;
};
/** `tiered` is graduated: each unit of the quantity is charged at the tier it falls into; the last tier has no end. */
export type CreditEventPrice =
  | { readonly kind: 'flat'; readonly cost: number }
  | { readonly kind: 'tiered'; readonly tiers: readonly { readonly upTo: number | null; readonly cost: number }[] };
export type CreditEvent = {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly category: string | null;
  readonly price: CreditEventPrice;
};

/** All that is on sale. */
export type Catalog = {
  readonly plans: readonly Plan[];
  readonly creditProducts: readonly CreditProduct[];
  readonly creditEvents: readonly CreditEvent[];
  /** Stripe events that are set aside without a person; left out: none. */
  readonly ignore?: readonly IgnoreRule[];
};

/** Makes the catalogue equal to `catalog`: one append for all changes, nothing when there are none. */
export type CatalogCommand = { readonly type: 'ApplyCatalog'; readonly catalog: Catalog };

export type CatalogEvent =
  | { readonly type: 'PlanPublished'; readonly at: Instant; readonly plan: Plan }
  | { readonly type: 'PlanRetired'; readonly at: Instant; readonly planId: string }
  | { readonly type: 'CreditProductPublished'; readonly at: Instant; readonly product: CreditProduct }
  | { readonly type: 'CreditProductRetired'; readonly at: Instant; readonly productId: string }
  | { readonly type: 'CreditEventPriced'; readonly at: Instant; readonly creditEvent: CreditEvent }
  | { readonly type: 'CreditEventDisabled'; readonly at: Instant; readonly creditEventId: string }
  /** All rules as they are from now on. */
  | { readonly type: 'IgnoreRulesChanged'; readonly at: Instant; readonly rules: readonly IgnoreRule[] };

/** Something that is or was on sale. What is retired stays known: old subscriptions still name its prices. */
export type Listed<Item> = { readonly item: Item; readonly active: boolean };
type Listing<Item> = ReadonlyMap<string, Listed<Item>>;
export type CatalogState = {
  readonly plans: Listing<Plan>;
  readonly creditProducts: Listing<CreditProduct>;
  readonly creditEvents: Listing<CreditEvent>;
  /** Stripe prices that plans had before: who subscribed at one goes on paying it. */
  readonly formerPrices: ReadonlyMap<string, FormerPrice>;
  /** What plans were before, the oldest first: a payment of then bought that, whenever it is reported. */
  readonly formerPlans: ReadonlyMap<string, readonly FormerPlan[]>;
  /** What credit products cost before: a page or link of then may still be paid. */
  readonly formerPackPrices: ReadonlyMap<string, readonly Money[]>;
  /** Which Stripe events are set aside without a person. */
  readonly ignore: readonly IgnoreRule[];
};
type FormerPlan = { readonly until: Instant; readonly plan: Plan };
type FormerPrice = { readonly planId: string; readonly interval: 'month' | 'year'; readonly price: PlanPrice };

/** A catalogue without anything. */
export const emptyCatalog: CatalogState = {
  plans: new Map(),
  creditProducts: new Map(),
  creditEvents: new Map(),
  formerPrices: new Map(),
  formerPlans: new Map(),
  formerPackPrices: new Map(),
  ignore: [],
};

/** The former prices once `plan` has taken the place of its earlier version. */
function formerPricesAfter({ plans, formerPrices }: CatalogState, plan: Plan): CatalogState['formerPrices'] {
  const before = plans.get(plan.id)?.item;
  const replaced = (['month', 'year'] as const).flatMap((interval) => {
    const [old, now] = interval === 'month' ? [before?.monthly, plan.monthly] : [before?.yearly, plan.yearly];
    const id = old?.stripePriceId ?? null;
    return !old || id === null || id === now?.stripePriceId
      ? []
      : [[id, { planId: plan.id, interval, price: old }] as const];
  });
  return replaced.length === 0 ? formerPrices : new Map([...formerPrices, ...replaced]);
}

/** The former plans once `plan` has taken the place of its earlier version, at `until`. */
function formerPlansAfter(
  { plans, formerPlans }: CatalogState,
  { id }: Plan,
  until: Instant,
): CatalogState['formerPlans'] {
  const before = plans.get(id)?.item;
  return before === undefined
    ? formerPlans
    : new Map(formerPlans).set(id, [...(formerPlans.get(id) ?? []), { until, plan: before }]);
}

/** The former prices of credit products once `product` has taken the place of its earlier version. */
function formerPackPricesAfter(state: CatalogState, product: CreditProduct): CatalogState['formerPackPrices'] {
  const before = state.creditProducts.get(product.id)?.item.price;
  const same = before?.amount === product.price.amount && before.currency === product.price.currency;
  if (before === undefined || same) return state.formerPackPrices;
  const known = state.formerPackPrices.get(product.id) ?? [];
  return new Map(state.formerPackPrices).set(product.id, [...known, before]);
}

const listed = <Item>(listing: Listing<Item>, id: string, item: Item): Listing<Item> =>
  new Map(listing).set(id, { item, active: true });

function withdrawn<Item>(listing: Listing<Item>, id: string): Listing<Item> {
  const known = listing.get(id);
  return known === undefined ? listing : new Map(listing).set(id, { item: known.item, active: false });
}

function evolve(state: CatalogState, event: CatalogEvent): CatalogState {
  switch (event.type) {
    case 'PlanPublished':
      return {
        ...state,
        plans: listed(state.plans, event.plan.id, event.plan),
        formerPrices: formerPricesAfter(state, event.plan),
        formerPlans: formerPlansAfter(state, event.plan, event.at),
      };
    case 'PlanRetired':
      return { ...state, plans: withdrawn(state.plans, event.planId) };
    case 'CreditProductPublished':
      return {
        ...state,
        creditProducts: listed(state.creditProducts, event.product.id, event.product),
        formerPackPrices: formerPackPricesAfter(state, event.product),
      };
    case 'CreditProductRetired':
      return { ...state, creditProducts: withdrawn(state.creditProducts, event.productId) };
    case 'CreditEventPriced':
      return { ...state, creditEvents: listed(state.creditEvents, event.creditEvent.id, event.creditEvent) };
    case 'CreditEventDisabled':
      return { ...state, creditEvents: withdrawn(state.creditEvents, event.creditEventId) };
    case 'IgnoreRulesChanged':
      return { ...state, ignore: event.rules };
    default:
      return assertNever(event);
  }
}

/** How one entry of the catalogue differs from what is wanted. */
export type Difference<Item> =
  | { readonly kind: 'added'; readonly id: string; readonly wanted: Item }
  | { readonly kind: 'changed'; readonly id: string; readonly present: Item; readonly wanted: Item }
  | { readonly kind: 'retired'; readonly id: string; readonly present: Item };

/** What must happen to `listing` so that exactly `wanted` is active; in the order of `wanted`, then what goes. */
export function differences<Item extends { readonly id: string }>(
  listing: Listing<Item>,
  wanted: readonly Item[],
): readonly Difference<Item>[] {
  const found: Difference<Item>[] = [];
  for (const item of wanted) {
    const present = listing.get(item.id);
    if (!present?.active) found.push({ kind: 'added', id: item.id, wanted: item });
    else if (canonicalJson(present.item as unknown as Json) !== canonicalJson(item as unknown as Json)) {
      found.push({ kind: 'changed', id: item.id, present: present.item, wanted: item });
    }
  }
  const kept = new Set(wanted.map(({ id }) => id));
  for (const [id, { item, active }] of listing)
    if (active && !kept.has(id)) found.push({ kind: 'retired', id, present: item });
  return found;
}

function decide(state: CatalogState, { catalog }: CatalogCommand, at: Instant): readonly CatalogEvent[] {
  const plans = differences(state.plans, catalog.plans).map((found): CatalogEvent =>
    found.kind === 'retired'
      ? { type: 'PlanRetired', at, planId: found.id }
      : { type: 'PlanPublished', at, plan: found.wanted },
  );
  const products = differences(state.creditProducts, catalog.creditProducts).map((found): CatalogEvent =>
    found.kind === 'retired'
      ? { type: 'CreditProductRetired', at, productId: found.id }
      : { type: 'CreditProductPublished', at, product: found.wanted },
  );
  const creditEvents = differences(state.creditEvents, catalog.creditEvents).map((found): CatalogEvent =>
    found.kind === 'retired'
      ? { type: 'CreditEventDisabled', at, creditEventId: found.id }
      : { type: 'CreditEventPriced', at, creditEvent: found.wanted },
  );
  return [...plans, ...products, ...creditEvents, ...ruleChanges(state, catalog, at)];
}

function ruleChanges(state: CatalogState, { ignore: rules = [] }: Catalog, at: Instant): readonly CatalogEvent[] {
  return ignoresOtherwise(state, rules) ? [{ type: 'IgnoreRulesChanged', at, rules }] : [];
}

/** Whether other Stripe events are to be set aside than are now. */
export const ignoresOtherwise = ({ ignore }: CatalogState, rules: readonly IgnoreRule[]): boolean =>
  canonicalJson(ignore as unknown as Json) !== canonicalJson(rules as unknown as Json);

export const catalogDecider: Decider<CatalogCommand, CatalogEvent, CatalogState, never> = {
  category: 'catalog',
  initial: () => emptyCatalog,
  decide: (state, command, moment) => decide(state, command, moment.at),
  evolve,
  fork: (state) => state,
  merge: (fork) => fork,
};

/**
 * What `quantity` units (an integer ≥ 1) cost in credits; may be 0 where a tier is free.
 * Null when the quantity is no such integer or the sum goes beyond 2^53−1.
 */
export function price(of: CreditEventPrice, quantity: number): Amount | null {
  if (!Number.isSafeInteger(quantity) || quantity < 1) return null;
  const tiers = of.kind === 'flat' ? [{ upTo: null, cost: of.cost }] : of.tiers;
  let total = 0;
  let from = 0;
  for (const { upTo, cost } of tiers) {
    const until = upTo === null ? quantity : Math.min(upTo, quantity);
    const part = (until - from) * cost;
    if (!isAmount(part) || !isAmount(total + part)) return null;
    total += part;
    from = until;
    if (from === quantity) return total;
  }
  return null;
}

export type PricingRefusal = {
  readonly rejected: 'credit_event_unknown' | 'credit_event_disabled' | 'price_out_of_range';
};

/** What using a credit event `quantity` times costs now, or why it cannot be used. */
export function priceOf(state: CatalogState, creditEventId: string, quantity: number): Amount | PricingRefusal {
  const known = state.creditEvents.get(creditEventId);
  if (known === undefined) return { rejected: 'credit_event_unknown' };
  if (!known.active) return { rejected: 'credit_event_disabled' };
  return price(known.item.price, quantity) ?? { rejected: 'price_out_of_range' };
}

/** The plan that customers without a subscription are on: the first free one on sale; null when there is none. */
export function freePlanOf(state: CatalogState): Plan | null {
  for (const { item, active } of state.plans.values()) if (active && item.free) return item;
  return null;
}

type PricedPlan = { readonly plan: Plan; readonly interval: 'month' | 'year'; readonly price: PlanPrice };

/**
 * The plan that a Stripe price belongs to, as it is now, and the interval it bills; retired plans and former prices included; null
 * when none has it.
 */
export function planOfStripePrice(state: CatalogState, stripePriceId: string): PricedPlan | null {
  for (const { item: plan } of state.plans.values()) {
    if (plan.monthly?.stripePriceId === stripePriceId) return { plan, interval: 'month', price: plan.monthly };
    if (plan.yearly?.stripePriceId === stripePriceId) return { plan, interval: 'year', price: plan.yearly };
  }
  const former = state.formerPrices.get(stripePriceId);
  const plan = former === undefined ? undefined : state.plans.get(former.planId)?.item;
  return former === undefined || plan === undefined ? null : { plan, interval: former.interval, price: former.price };
}

/**
 * The same with the plan as it was at a time, so that what is reported late bought what it was sold as. What was paid before the
 * catalogue knew the price bought the plan as it first had that price.
 */
export function planBoughtAt(state: CatalogState, stripePriceId: string, at: Instant): PricedPlan | null {
  const known = planOfStripePrice(state, stripePriceId);
  if (known === null) return null;
  const former = state.formerPlans.get(known.plan.id) ?? [];
  const versions = [...former.map(({ plan }) => plan), known.plan];
  const then = former.filter(({ until }) => until <= at).length;
  const first = versions.findIndex(({ monthly, yearly }) =>
    [monthly, yearly].some((price) => price?.stripePriceId === stripePriceId),
  );
  return { ...known, plan: versions[Math.max(then, first)] ?? known.plan };
}
