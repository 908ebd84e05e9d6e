import { ApiError } from '../../../apps/stripe-sandbox/core/api/errors.js';
import type { Customer, Kind, Tables, Thing } from '../../../apps/stripe-sandbox/core/model.js';
import { parseForm } from '../../../apps/stripe-sandbox/core/api/params.js';
import { Sandbox } from '../../../apps/stripe-sandbox/core/sandbox.js';
import type { Tx } from '../../../apps/stripe-sandbox/core/tx.js';
import { bookAttempt, deliveryBody, dueDeliveries } from '../../../apps/stripe-sandbox/core/webhooks.js';
import { noFaults, World } from '../../../apps/stripe-sandbox/core/world.js';
import { program } from '../../../apps/stripe-sandbox/program.js';
import { newEndpoint } from '../../../apps/stripe-sandbox/resources/events.js';
import type { Market } from './market.js';

/** A webhook as Stripe would send it, not signed yet, and the object it is about as the sandbox keeps it. */
export type Webhook = { readonly created: number; readonly body: string; readonly object: Thing };
type Form = Readonly<Record<string, string | number | boolean>>;

const encoded = (form: Form): string =>
  Object.entries(form)
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(String(value))}`)
    .join('&');

/** The sandbox of one customer's life: its API, its clock, and the webhooks that it makes. Ids are unique by the seed. */
export class StripeAccount {
  readonly #sandbox: Sandbox;

  constructor(market: Market, options: { seed: number; start: number; apiVersion: string | null; types: string[] }) {
    const world = new World(options.seed, options.start, 'http://sandbox');
    for (const kind of ['product', 'price', 'tax_rate', 'coupon', 'billing.meter'] as const)
      copyTable(market.world, world, kind);
    this.#sandbox = new Sandbox(world, program);
    const endpoint = { url: 'http://scrip/v1/webhooks/stripe', events: options.types, version: options.apiVersion };
    this.#sandbox.step((tx) => newEndpoint(tx, endpoint));
  }

  get world(): World {
    return this.#sandbox.world;
  }

  get now(): number {
    return this.world.now;
  }

  /** The customer whom this life's actions are about, as it is now: the first one that is not deleted. */
  get customer(): Customer {
    const all = [...this.world.tables.customer.values()];
    return all.find(({ sandbox }) => !sandbox.deleted) ?? all[0]!;
  }

  /** Every object of a kind, in the order they were made. */
  all<K extends Kind>(kind: K): readonly Tables[K][] {
    return [...this.world.tables[kind].values()];
  }

  /** Sends a request as the `stripe` client would; what Stripe refuses is answered, not thrown. */
  post(path: string, form: Form = {}, method = 'POST'): { readonly ok: boolean; readonly id: string } {
    const request = {
      method,
      path: `/v1/${path}`,
      params: parseForm(encoded(form)),
      idempotencyKey: null,
      version: null,
    };
    const { status, body } = this.#sandbox.handle({ ...request, apiKey: 'sk_test_1' });
    return { ok: status === 200, id: (JSON.parse(body) as { id?: string }).id ?? '' };
  }

  /** The API for the `stripe` client itself. */
  readonly fetch = (async (address: string, init: { method: string; body?: string }) => {
    await Promise.resolve();
    const { pathname, search } = new URL(address);
    const { method, body: form } = init;
    const params = parseForm(method === 'GET' ? search.slice(1) : (form ?? ''));
    const request = { method, path: pathname, params, idempotencyKey: null, version: null };
    const { status, body } = this.#sandbox.handle({ ...request, apiKey: 'sk_test_1' });
    return new Response(body, { status });
  }) as unknown as typeof globalThis.fetch;

  /** Does what people do at Stripe's pages and banks; false when Stripe refuses it. */
  act(work: (tx: Tx) => unknown): boolean {
    try {
      this.#sandbox.step(work);
      return true;
    } catch (error) {
      if (error instanceof ApiError) return false;
      throw error;
    }
  }

  /** Moves the clock, doing what falls due on the way. */
  advanceTo(time: number): void {
    this.#sandbox.advanceTo(time);
  }

  /** The next `count` events are reported twice, under two ids. */
  deliverTwice(count: number): void {
    this.world.faults = { ...noFaults, twoIds: count };
  }

  /** The webhooks since the last call, in order. */
  takeWebhooks(): readonly Webhook[] {
    const taken: Webhook[] = [];
    for (const delivery of dueDeliveries(this.world)) {
      const message = deliveryBody(this.world, delivery);
      const event = this.world.events.get(delivery.event);
      if (message !== null && event !== undefined)
        taken.push({ created: event.created, body: message.body, object: event.object });
      bookAttempt(this.world, delivery.id, 200, null);
    }
    return taken;
  }
}

/** Puts what is in one world's table into another's. */
export function copyTable<K extends Kind>(from: World, to: World, kind: K): void {
  for (const [id, thing] of from.tables[kind] as Map<string, Tables[K]>) to.store(kind, id, thing);
}

/** One API for the accounts of many lives: each is asked for the invoices that it has. */
export const fetchOf = (accounts: readonly StripeAccount[]): typeof globalThis.fetch =>
  ((address: string, init: RequestInit) => {
    const [, id = ''] = /\/v1\/invoices\/([^/?]+)/.exec(address) ?? [];
    const account = accounts.find(({ world }) => world.tables.invoice.has(id));
    if (account === undefined) throw new Error(`no life has what ${address} asks for`);
    return account.fetch(address, init);
  }) as unknown as typeof globalThis.fetch;
