import type Stripe from 'stripe';
import type { Money } from '#kernel/amount.js';
import type { Catalog, CatalogState, CreditProduct, Plan, PlanPrice } from '#ledger/catalog.js';
import type { StripeIntent, StripeOperationName } from '#ledger/stripe/intent.js';
import type { StripeAnswer, StripeClient } from './client.js';
import { unchargeable } from './money.js';
import { mapAnswer, type StripeLookup, type StripeOperation } from './operation.js';
import { runStripeCall, type OperationContext } from './run.js';

/** One thing at Stripe that a push looked for. */
export type Pushed = {
  readonly what: 'product' | 'price';
  /** Our name for it: the product's id, the price's lookup key. */
  readonly name: string;
  readonly stripeId: string;
  readonly result: 'found' | 'made' | 'changed' | 'archived';
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
    ...(state.ignore.length === 0 ? {} : { ignore: state.ignore }),
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
 * Makes sure that Stripe has a product and a price for everything that costs something. Answers the catalogue with their ids.
 * Products are found by id, prices by lookup key. When an amount has changed, a new price takes over the lookup key. The old one
 * is archived if it was created here; its subscribers go on paying it. Every change at Stripe is a call of its own, recorded as
 * an intent. Safe to repeat, also after an interruption: what is there is found again.
 */
export async function pushCatalog(
  context: OperationContext,
  catalog: Catalog,
): Promise<StripeAnswer<{ readonly catalog: Catalog; readonly pushed: readonly Pushed[] }>> {
  const pushed: Pushed[] = [];
  const push = new Push(context, pushed);
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

const retrieveProduct = (client: StripeClient, id: string): Promise<StripeAnswer<Stripe.Product>> =>
  client.ask('product', (stripe) => stripe.products.retrieve(id));
const retrievePrice = (client: StripeClient, id: string): Promise<StripeAnswer<Stripe.Price>> =>
  client.ask('price', (stripe) => stripe.prices.retrieve(id));

/** The object, if it is there and as was wanted. */
async function ifSo<T>(answer: Promise<StripeAnswer<T>>, fits: (value: T) => boolean): Promise<StripeAnswer<T | null>> {
  const present = await answer;
  if (present.kind === 'refused' && present.status === 404) return { kind: 'answered', value: null };
  return mapAnswer(present, (value) => (fits(value) ? value : null));
}

export const productLookup = (productId: string, name: string): StripeLookup<Stripe.Product> => ({
  objectType: 'product',
  find: (client) => ifSo(retrieveProduct(client, productId), (product) => product.active && product.name === name),
});

export const archivedLookup = (priceId: string): StripeLookup<Stripe.Price> => ({
  objectType: 'price',
  find: (client) => ifSo(retrievePrice(client, priceId), ({ active }) => !active),
});

export const priceLookup = (lookupKey: string, money: Money, interval: Interval): StripeLookup<Stripe.Price> => ({
  objectType: 'price',
  find: async (client) =>
    mapAnswer(await listedPrice(client, lookupKey), (price) =>
      price !== null && isSame(price, money, interval) ? price : null,
    ),
});

async function listedPrice(client: StripeClient, lookupKey: string): Promise<StripeAnswer<Stripe.Price | null>> {
  const params = { lookup_keys: [lookupKey], active: true, limit: 1 };
  const answer = await client.ask('list', (stripe) => stripe.prices.list(params));
  return mapAnswer(answer, ({ data }) => data[0] ?? null);
}

type Interval = 'month' | 'year' | null;

class Push {
  constructor(
    private readonly context: OperationContext,
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
    const { client } = this.context;
    const retrieve = (): Promise<StripeAnswer<Stripe.Product>> => retrieveProduct(client, id);
    const present = valueOf(await ifSo(retrieve(), () => true));
    if (present !== null && present.name === name && present.active) {
      this.#note('product', id, id, 'found');
      return id;
    }
    const lookup = productLookup(id, name);
    if (present === null) {
      await this.#run(
        'create_product',
        `product.${id}`,
        { productId: id, name },
        {
          ...lookup,
          retrieve,
          create: async (_client, idempotencyKey) => {
            const made = await client.ask('product', (stripe) =>
              stripe.products.create({ id, name, metadata }, { idempotencyKey }),
            );
            // The answer to the first try was lost, or another push was quicker: the id says that it is the same product.
            return made.kind === 'refused' && made.code === 'resource_already_exists' ? retrieve() : made;
          },
        },
      );
    } else {
      await this.#run(
        'update_product',
        `product.${id}.${String(present.updated)}`,
        { productId: id, name },
        {
          ...lookup,
          retrieve,
          create: (_client, idempotencyKey) =>
            client.ask('product', (stripe) => stripe.products.update(id, { name, active: true }, { idempotencyKey })),
        },
      );
    }
    this.#note('product', id, id, present === null ? 'made' : 'changed');
    return id;
  }

  async #price(product: string, key: string, known: PlanPrice, interval: Interval): Promise<string> {
    const { money, stripePriceId } = known;
    const recorded = await this.#recorded(stripePriceId);
    if (recorded !== null && isSame(recorded, money, interval)) {
      this.#note('price', key, recorded.id, 'found');
      return recorded.id;
    }
    const listed = valueOf(await listedPrice(this.context.client, key));
    const right = listed !== null && isSame(listed, money, interval) ? listed : null;
    const before = recorded ?? listed;
    const price = right ?? (await this.#makePrice(product, key, { money, interval, after: before?.id ?? 'none' }));
    if (right !== null) this.#note('price', key, right.id, 'found');
    else this.#note('price', key, price.id, before === null ? 'made' : 'changed');
    for (const old of new Set([recorded, listed]))
      if (old !== null && old.id !== price.id && old.metadata['scrip_price'] === key) await this.#archive(key, old.id);
    return price.id;
  }

  #makePrice(
    product: string,
    key: string,
    { money, interval, after }: { readonly money: Money; readonly interval: Interval; readonly after: string },
  ): Promise<Stripe.Price> {
    const { amount, currency } = money;
    const params = {
      product,
      currency,
      unit_amount: amount,
      ...(interval === null ? {} : { recurring: { interval } }),
      lookup_key: key,
      transfer_lookup_key: true,
      metadata: { scrip_price: key },
    };
    // Named by what it follows, so that a push that broke off, or another one beside it, asks for the same price.
    const name = `price.${key}.${String(amount)}.${currency}.after.${after}`;
    return this.#run(
      'create_price',
      name,
      { lookupKey: key, amount, currency, interval },
      {
        ...priceLookup(key, money, interval),
        retrieve: retrievePrice,
        create: (client, idempotencyKey) =>
          client.ask('price', (stripe) => stripe.prices.create(params, { idempotencyKey })),
      },
    );
  }

  async #archive(key: string, priceId: string): Promise<void> {
    await this.#run(
      'archive_price',
      `archive.${priceId}`,
      { priceId },
      {
        ...archivedLookup(priceId),
        retrieve: retrievePrice,
        create: (client, idempotencyKey) =>
          client.ask('price', (stripe) => stripe.prices.update(priceId, { active: false }, { idempotencyKey })),
      },
    );
    this.#note('price', key, priceId, 'archived');
  }

  async #run<T extends { readonly id: string }>(
    operationName: StripeOperationName,
    name: string,
    subject: StripeIntent['subject'],
    operation: StripeOperation<T>,
  ): Promise<T> {
    const intent = { intentId: `catalog.${name}`, customerId: null, operation: operationName, subject };
    return valueOf(await runStripeCall({ intent, operation, force: true }, this.context));
  }

  /** The price that the catalogue names, when it is one of Stripe's that can be sold. */
  async #recorded(id: string | null): Promise<Stripe.Price | null> {
    return id === null ? null : valueOf(await ifSo(retrievePrice(this.context.client, id), ({ active }) => active));
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
