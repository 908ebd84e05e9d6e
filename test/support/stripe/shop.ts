import type Stripe from 'stripe';
import type { Catalog, Plan } from '#ledger/catalog.js';
import { catalog } from '../ledger/catalog.js';
import type { SandboxWorld } from '../processes/running-sandbox.js';

/** Our customer of every scene. */
export const buyer = 'acme';

type PriceName = `${'starter' | 'pro'}.${'month' | 'year'}`;
const amounts: { readonly [Name in PriceName]: number } = {
  'starter.month': 2000,
  'starter.year': 24_000,
  'pro.month': 8000,
  'pro.year': 96_000,
};

/** What a scene may do besides acting at Stripe. */
export type Stage = {
  /** Uses credits of the customer. */
  readonly consume: (amount: number, customerId: string) => Promise<void>;
  /** Called at each instant that the clock stops at on its way, after its webhooks were sent. */
  readonly livedTo: (seconds: number) => Promise<void>;
};

/** A customer who buys at a sandbox of their own, and the hand that moves its clock. */
export class Shop {
  private constructor(
    readonly world: SandboxWorld,
    readonly customerId: string,
    private readonly stage: Stage,
    private readonly prices: ReadonlyMap<PriceName, string>,
  ) {}

  static async open(world: SandboxWorld, customerId: string, stage: Stage): Promise<Shop> {
    await world.control('POST', '/settings', { retentionDays: 3650 });
    const prices = new Map<PriceName, string>();
    for (const [name, amount] of Object.entries(amounts) as [PriceName, number][])
      prices.set(name, (await world.price(amount, name.endsWith('year') ? 'year' : 'month')).id);
    return new Shop(world, customerId, stage, prices);
  }

  get stripe(): Stripe {
    return this.world.stripe;
  }

  get now(): number {
    return this.world.sandbox.runtime.clock.now();
  }

  /** Free gives 100 credits a month, starter 500, pro 2000; smaller plans take back what is unspent. */
  get catalog(): Catalog {
    const [free, starter] = catalog.plans;
    if (free === undefined || starter === undefined) throw new Error('the catalogue has two plans');
    const policy = { trialCredits: 50, rolloverCap: 100, downgradeClawback: true };
    const priced = (id: 'starter' | 'pro', creditsPerMonth: number): Plan => ({
      ...starter,
      id,
      name: id,
      creditsPerMonth,
      policy,
      monthly: this.#priced(`${id}.month`),
      yearly: this.#priced(`${id}.year`),
    });
    const packs = catalog.creditProducts.map((pack) => ({ ...pack, price: { amount: 3000, currency: 'usd' } }));
    return { ...catalog, plans: [free, priced('starter', 500), priced('pro', 2000)], creditProducts: packs };
  }

  #priced(name: PriceName): Plan['monthly'] {
    return { money: { amount: amounts[name], currency: 'usd' }, stripePriceId: this.price(name) };
  }

  price(name: PriceName): string {
    return this.prices.get(name) ?? '';
  }

  consume(amount: number): Promise<void> {
    return this.stage.consume(amount, this.customerId);
  }

  /** Moves the clock, living through every instant on the way. */
  async advance(seconds: number): Promise<void> {
    const target = this.now + seconds;
    for (;;) {
      const { nextTimer } = await this.world.control<{ nextTimer: number | null }>('GET', '/clock');
      const stop = nextTimer === null || nextTimer > target ? target : Math.max(nextTimer, this.now);
      await this.world.control('POST', '/clock', { to: stop });
      await this.stage.livedTo(stop);
      if (stop === target) return;
    }
  }

  /** Delivers the events of everything that was done so far. */
  async delivered(): Promise<void> {
    await this.world.settle();
    await this.stage.livedTo(this.now);
  }

  async customer(card: string | null = 'pm_card_visa'): Promise<string> {
    const { id } = await this.stripe.customers.create({ metadata: { customer_id: this.customerId } });
    if (card !== null) await this.pays(id, card);
    return id;
  }

  /** From now on the customer pays with this card. */
  async pays(customer: string, card: string): Promise<void> {
    const method = await this.stripe.paymentMethods.attach(card, { customer });
    await this.stripe.customers.update(customer, { invoice_settings: { default_payment_method: method.id } });
  }

  async subscribe(
    price: PriceName,
    more: Partial<Stripe.SubscriptionCreateParams> = {},
    card: string | null = 'pm_card_visa',
  ): Promise<Stripe.Subscription> {
    const customer = await this.customer(card);
    return this.stripe.subscriptions.create({ customer, items: [{ price: this.price(price) }], ...more });
  }

  /** Puts the only item of a subscription on another price or quantity. */
  change(
    { id, items }: Stripe.Subscription,
    to: { readonly price?: PriceName; readonly quantity?: number },
    more: Stripe.SubscriptionUpdateParams = { proration_behavior: 'always_invoice' },
  ): Promise<Stripe.Subscription> {
    const price = to.price === undefined ? {} : { price: this.price(to.price) };
    const quantity = to.quantity === undefined ? {} : { quantity: to.quantity };
    return this.stripe.subscriptions.update(id, { ...more, items: [{ id: items.data[0]!.id, ...price, ...quantity }] });
  }

  /** How long it is to the middle, or the end, of the subscription's present period. */
  async untilPeriod(part: 0.5 | 1, { id }: Stripe.Subscription): Promise<number> {
    const { items } = await this.stripe.subscriptions.retrieve(id);
    const { current_period_start: start, current_period_end: end } = items.data[0]!;
    return Math.floor(start + (end - start) * part) - this.now;
  }

  /** Buys 1,000 credits for 30.00 on the Checkout page. Answers the payment intent. */
  async topUp(pay: object = {}, more: Partial<Stripe.Checkout.SessionCreateParams> = {}): Promise<string> {
    const { id } = await this.session(more);
    await this.world.control('POST', `/checkout/${id}/complete`, pay);
    const { payment_intent: intent } = await this.stripe.checkout.sessions.retrieve(id);
    return typeof intent === 'string' ? intent : (intent?.id ?? '');
  }

  session(more: Partial<Stripe.Checkout.SessionCreateParams> = {}): Promise<Stripe.Checkout.Session> {
    const currency = 'payment_method_data' in more ? 'eur' : 'usd';
    return this.stripe.checkout.sessions.create({
      mode: 'payment',
      client_reference_id: this.customerId,
      metadata: { credit_product: 'credits_1000' },
      line_items: [{ quantity: 1, price_data: { currency, unit_amount: 3000, product_data: { name: 'Pack' } } }],
      success_url: 'http://127.0.0.1/ok',
      ...more,
    });
  }

  async charge(intent: string): Promise<string> {
    const { latest_charge: charge } = await this.stripe.paymentIntents.retrieve(intent);
    return typeof charge === 'string' ? charge : (charge?.id ?? '');
  }

  async latestInvoice({ id }: Stripe.Subscription): Promise<string> {
    const { latest_invoice: invoice } = await this.stripe.subscriptions.retrieve(id);
    return typeof invoice === 'string' ? invoice : (invoice?.id ?? '');
  }
}
