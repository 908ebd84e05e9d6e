import type Stripe from 'stripe';
import type { Money } from '#kernel/amount.js';
import type { Catalog, CatalogState, CreditProduct, Plan, PlanPrice } from '#ledger/catalog.js';
import type { StripeAnswer, StripeClient } from './client.js';
import { unchargeable } from './outbound-money.js';

/** One thing at Stripe that a push looked for. */
export type Pushed = {
  readonly what: 'product' | 'price';
  /** Our name for it: the product's id, the price's lookup key. */
  readonly name: string;
  readonly stripeId: string;
  readonly result: 'found' | 'made' | 'changed';
};

/** Stops a push with what ended it, whatever was deep in it. */
class PushEnded extends Error {
  override readonly name = 'PushEnded';

  constructor(readonly answer: Exclude<StripeAnswer<never>, { kind: 'answered' }>) {
    super(answer.kind);
  }
}

function valueOf<T>(answer: StripeAnswer<T>): T {
  if (answer.kind === 'answered') return answer.value;
  throw new PushEnded(answer);
}

/** All that is on sale in a catalogue's state. */
export function onSale(state: CatalogState): Catalog {
  const active = <Item>(listing: ReadonlyMap<string, { readonly item: Item; readonly active: boolean }>) =>
    [...listing.values()].filter((listed) => listed.active).map(({ item }) => item);
  return {
    plans: active(state.plans),
    creditProducts: active(state.creditProducts),
    creditEvents: active(state.creditEvents),
  };
}

/**
 * `wanted` with the Stripe prices that are known already, where it names none and the price is still the same: a catalogue file
 * need not repeat what a push has recorded.
 */
export function withKnownPrices(wanted: Catalog, state: CatalogState): Catalog {
  const known = (price: PlanPrice | null, before: PlanPrice | null | undefined): PlanPrice | null =>
    price === null || price.stripePriceId !== null || !before || !sameMoney(price.money, before.money)
      ? price
      : { ...price, stripePriceId: before.stripePriceId };
  return {
    ...wanted,
    plans: wanted.plans.map((plan) => {
      const before = state.plans.get(plan.id)?.item;
      return { ...plan, monthly: known(plan.monthly, before?.monthly), yearly: known(plan.yearly, before?.yearly) };
    }),
    creditProducts: wanted.creditProducts.map((product) => {
      const before = state.creditProducts.get(product.id)?.item;
      if (product.stripePriceId !== null || before === undefined || !sameMoney(product.price, before.price))
        return product;
      return { ...product, stripePriceId: before.stripePriceId };
    }),
  };
}

const sameMoney = (a: Money, b: Money): boolean => a.amount === b.amount && a.currency === b.currency;

/**
 * Makes sure that Stripe has a product and a price for everything that costs something, and gives the catalogue with their ids.
 * Products are found by their id, prices by their lookup key; a price whose amount has changed is followed by a new one that takes
 * its lookup key over. Safe to repeat, also after it broke off: what is there is found again.
 */
export async function pushCatalog(
  client: StripeClient,
  catalog: Catalog,
): Promise<StripeAnswer<{ readonly catalog: Catalog; readonly pushed: readonly Pushed[] }>> {
  const pushed: Pushed[] = [];
  const push = new Push(client, pushed);
  try {
    const plans: Plan[] = [];
    for (const plan of catalog.plans) plans.push(await push.plan(plan));
    const creditProducts: CreditProduct[] = [];
    for (const product of catalog.creditProducts) creditProducts.push(await push.pack(product));
    return { kind: 'answered', value: { catalog: { ...catalog, plans, creditProducts }, pushed } };
  } catch (error) {
    if (error instanceof PushEnded) return error.answer;
    throw error;
  }
}

class Push {
  constructor(
    private readonly client: StripeClient,
    private readonly pushed: Pushed[],
  ) {}

  async plan(plan: Plan): Promise<Plan> {
    if (plan.free || (plan.monthly === null && plan.yearly === null)) return plan;
    const product = await this.#product(`scrip_plan_${plan.id}`, plan.name, { scrip_plan: plan.id });
    const priced = async (price: PlanPrice | null, interval: 'month' | 'year'): Promise<PlanPrice | null> => {
      if (price === null || unchargeable(price.money) !== null) return price;
      const key = `scrip_plan_${plan.id}_${interval}`;
      return { ...price, stripePriceId: await this.#price(product, key, price, interval) };
    };
    return { ...plan, monthly: await priced(plan.monthly, 'month'), yearly: await priced(plan.yearly, 'year') };
  }

  async pack(pack: CreditProduct): Promise<CreditProduct> {
    if (unchargeable(pack.price) !== null) return pack;
    const product = await this.#product(`scrip_pack_${pack.id}`, pack.name, { scrip_credit_product: pack.id });
    const known = { money: pack.price, stripePriceId: pack.stripePriceId };
    return { ...pack, stripePriceId: await this.#price(product, `scrip_pack_${pack.id}`, known, null) };
  }

  async #product(id: string, name: string, metadata: Record<string, string>): Promise<string> {
    const read = () => this.client.ask('product', (stripe) => stripe.products.retrieve(id));
    const present = await read();
    if (present.kind === 'answered') return this.#named(present.value, name);
    if (present.kind !== 'refused' || present.status !== 404) throw new PushEnded(present);
    const made = await this.client.ask('product', (stripe) => stripe.products.create({ id, name, metadata }));
    // The answer to the first try was lost, or another push was quicker: the id says that it is the same product.
    const lost = made.kind === 'refused' && made.code === 'resource_already_exists';
    const product = valueOf(lost ? await read() : made);
    this.#note('product', id, product.id, 'made');
    return product.id;
  }

  async #named(product: Stripe.Product, name: string): Promise<string> {
    const { id } = product;
    const right = product.name === name && product.active;
    if (!right)
      valueOf(await this.client.ask('product', (stripe) => stripe.products.update(id, { name, active: true })));
    this.#note('product', id, id, right ? 'found' : 'changed');
    return id;
  }

  async #price(
    product: string,
    key: string,
    { money, stripePriceId }: PlanPrice,
    interval: 'month' | 'year' | null,
  ): Promise<string> {
    const present = (await this.#recorded(stripePriceId)) ?? (await this.#listed(key));
    if (present !== null && isSame(present, money, interval)) {
      this.#note('price', key, present.id, 'found');
      return present.id;
    }
    const price = valueOf(
      await this.client.ask('price', (stripe) =>
        stripe.prices.create(
          {
            product,
            currency: money.currency,
            unit_amount: money.amount,
            ...(interval === null ? {} : { recurring: { interval } }),
            lookup_key: key,
            transfer_lookup_key: true,
          },
          { idempotencyKey: `${key}.${String(money.amount)}.${money.currency}.after.${present?.id ?? 'none'}` },
        ),
      ),
    );
    this.#note('price', key, price.id, present === null ? 'made' : 'changed');
    return price.id;
  }

  /** The price that the catalogue names, when it is one of Stripe's that can be sold. */
  async #recorded(id: string | null): Promise<Stripe.Price | null> {
    if (id === null) return null;
    const answer = await this.client.ask('price', (stripe) => stripe.prices.retrieve(id));
    if (answer.kind === 'refused' && answer.status === 404) return null;
    const price = valueOf(answer);
    return price.active ? price : null;
  }

  async #listed(key: string): Promise<Stripe.Price | null> {
    const params = { lookup_keys: [key], active: true, limit: 1 };
    const { data } = valueOf(await this.client.ask('list', (stripe) => stripe.prices.list(params)));
    return data[0] ?? null;
  }

  #note(what: Pushed['what'], name: string, stripeId: string, result: Pushed['result']): void {
    this.pushed.push({ what, name, stripeId, result });
  }
}

const isSame = (price: Stripe.Price, { amount, currency }: Money, interval: string | null): boolean =>
  price.unit_amount === amount &&
  price.currency === currency &&
  (price.recurring?.interval ?? null) === interval &&
  (price.recurring?.interval_count ?? 1) === 1;
