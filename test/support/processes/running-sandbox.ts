import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Stripe from 'stripe';
import { loadConfig } from '../../../apps/stripe-sandbox/config.js';
import { startSandbox, type RunningSandbox } from '../../../apps/stripe-sandbox/http/server.js';

export const DAY = 86_400;
export const HOUR = 3600;
/** 2026-01-01T00:00:00Z, where the clock of every test starts. */
export const START = 1_767_225_600;
export const WEBHOOK_SECRET = 'whsec_sandbox_test';

/** What a payment that succeeds at once reports about an invoice, in order. */
export const PAID_NOW = [
  'payment_intent.created',
  'charge.succeeded',
  'payment_intent.succeeded',
  'invoice.paid',
  'invoice.payment_succeeded',
  'invoice_payment.paid',
];

export type Received = { readonly event: Stripe.Event; readonly body: string; readonly signature: string };

/** A sandbox on a free port with a webhook receiver and an ordinary `stripe` client. */
export class SandboxWorld {
  received: Received[] = [];
  /** What the receiver answers. */
  answerWith = 200;
  /** Takes a webhook on; what it answers is answered. */
  forward: ((webhook: Received) => Promise<number>) | null = null;

  private constructor(
    readonly sandbox: RunningSandbox,
    readonly stripe: Stripe,
    readonly receiver: Server,
    readonly webhookUrl: string,
  ) {}

  static async start(env: Record<string, string> = {}): Promise<SandboxWorld> {
    let world: SandboxWorld | null = null;
    const receiver = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const body = Buffer.concat(parts).toString('utf8');
        const signature = String(request.headers['stripe-signature']);
        const webhook = { event: JSON.parse(body) as Stripe.Event, body, signature };
        world?.received.push(webhook);
        const answer = (status: number): void => void response.writeHead(status).end();
        if (world?.forward == null) answer(world?.answerWith ?? 200);
        else world.forward(webhook).then(answer, () => answer(500));
      });
    });
    // Never closed while idle: a test that computes for seconds would then meet a reset.
    receiver.keepAliveTimeout = 0;
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/webhook`;
    const sandbox = await startSandbox(
      loadConfig({
        SANDBOX_PORT: '0',
        SANDBOX_START_TIME: String(START),
        SANDBOX_WEBHOOK_URL: url,
        SANDBOX_WEBHOOK_SECRET: WEBHOOK_SECRET,
        SANDBOX_WEBHOOK_CONCURRENCY: '1',
        ...env,
      }),
    );
    world = new SandboxWorld(sandbox, SandboxWorld.client(sandbox), receiver, url);
    return world;
  }

  static client(sandbox: RunningSandbox, retries = 0): Stripe {
    const { hostname, port } = new URL(sandbox.url);
    return new Stripe('sk_test_123', {
      host: hostname,
      port: Number(port),
      protocol: 'http',
      telemetry: false,
      maxNetworkRetries: retries,
    });
  }

  async close(): Promise<void> {
    await this.sandbox.close();
    await new Promise((resolve) => this.receiver.close(resolve));
  }

  /** An empty sandbox at the start of the test time, with its clock standing still. */
  async reset(): Promise<void> {
    this.sandbox.runtime.clock.unfreeze();
    this.sandbox.runtime.clock.set(START);
    this.sandbox.runtime.clock.freeze();
    await this.control('POST', '/reset');
    this.answerWith = 200;
    this.received = [];
  }

  async control<T = Record<string, unknown>>(method: string, path: string, body: object = {}): Promise<T> {
    const options = method === 'GET' ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${this.sandbox.url}/_sandbox${path}`, { method, ...options });
    const answer = (await response.json()) as T;
    if (!response.ok) throw new Error(JSON.stringify(answer));
    return answer;
  }

  advance(seconds: number): Promise<unknown> {
    return this.control('POST', '/clock', { by: seconds });
  }

  settle(): Promise<unknown> {
    return this.control('POST', '/settle');
  }

  types(): string[] {
    return this.received.map(({ event }) => event.type);
  }

  objects<T>(type: string): T[] {
    return this.received.filter(({ event }) => event.type === type).map(({ event }) => event.data.object as T);
  }

  /** The types of the events that came since the last call, after everything due was sent. */
  async since(): Promise<string[]> {
    await this.settle();
    const seen = this.types();
    this.received = [];
    return seen;
  }

  price(amount = 2000, interval: 'month' | 'year' = 'month', currency = 'usd'): Promise<Stripe.Price> {
    return this.stripe.prices.create({
      currency,
      unit_amount: amount,
      recurring: { interval },
      product_data: { name: `Plan ${amount}` },
    });
  }

  async customer(card = 'pm_card_visa'): Promise<Stripe.Customer> {
    const customer = await this.stripe.customers.create({
      email: 'jenny@example.com',
      name: 'Jenny',
      metadata: { account_id: 'acc_1' },
    });
    const method = await this.stripe.paymentMethods.attach(card, { customer: customer.id });
    return this.stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
  }

  async subscription(
    price: Stripe.Price,
    card = 'pm_card_visa',
    more: Partial<Stripe.SubscriptionCreateParams> = {},
  ): Promise<Stripe.Subscription> {
    const customer = await this.customer(card);
    return this.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }], ...more });
  }

  /** What the customer's balance holds; nothing once deleted. */
  async balanceOf(customer: string): Promise<number> {
    const found = await this.stripe.customers.retrieve(customer);
    return found.deleted === true ? 0 : found.balance;
  }

  async statusOf(subscription: string): Promise<string> {
    return (await this.stripe.subscriptions.retrieve(subscription)).status;
  }

  async latestInvoice(subscription: string): Promise<Stripe.Invoice> {
    const found = await this.stripe.subscriptions.retrieve(subscription, { expand: ['latest_invoice'] });
    return found.latest_invoice as Stripe.Invoice;
  }

  /** Submits a page's form as a browser does, without following its redirect. */
  async post(
    url: string,
    fields: Record<string, string>,
  ): Promise<{ status: number; location: string | null; text: string }> {
    const response = await fetch(url, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' });
    return { status: response.status, location: response.headers.get('location'), text: await response.text() };
  }
}
