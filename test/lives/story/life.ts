import type { Subscription } from '../../../apps/stripe-sandbox/core/model.js';
import { SeededRandom } from '../../simulation/random.js';
import { actions } from './actions.js';
import { begin, isLinked, link } from './customer-actions.js';
import type { Actor } from './actor.js';
import { currencies, type Market } from './market.js';
import { StripeAccount } from './stripe-account.js';

const DAY = 86_400;
const HOUR = 3600;

/** When a webhook arrives. It may arrive more than once. */
export type Arrival = { readonly at: number; readonly created: number; readonly body: string };
export type Consumption = { readonly at: number; readonly amount: number };
/** A subscription as it was from `at` on. */
export type Standing = { readonly at: number; readonly subscription: Subscription };

/** A customer's life as it was at Stripe, and what of it reaches Scrip when. */
export type Life = {
  readonly seed: number;
  readonly customerId: string;
  readonly start: number;
  readonly end: number;
  readonly stripe: StripeAccount;
  readonly arrivals: readonly Arrival[];
  /** Webhooks that never arrived: only a reconciliation finds them. */
  readonly lost: readonly Arrival[];
  readonly consumptions: readonly Consumption[];
  /** Every subscription as it was, change by change. */
  readonly standings: readonly Standing[];
  /** The latest that a webhook came, in seconds. */
  readonly lateness: number;
  readonly story: readonly string[];
};

export type LifeOptions = {
  readonly start: number;
  readonly end: number;
  readonly types: readonly string[];
  /** Something happens every so many days, one of these for each life. */
  readonly paces?: readonly number[];
  /** Steps of the story that are left out, to make a failing one shorter. */
  readonly without?: ReadonlySet<number>;
};

const versions = [
  null,
  null,
  null,
  '2024-06-20',
  '2025-02-24.acacia',
  '2025-06-30.basil',
  '2026-04-22.dahlia',
] as const;

/** How a life's webhooks travel: most in order and at once, some doubled, late by days, or lost. */
type Delivery = { readonly twice: number; readonly late: number; readonly lost: number; readonly maxDelay: number };
export const calm: Delivery = { twice: 0, late: 0, lost: 0, maxDelay: 0 };
const rough: readonly Delivery[] = [
  { twice: 0.1, late: 0.2, lost: 0, maxDelay: 2 * HOUR },
  { twice: 0.05, late: 0.1, lost: 0, maxDelay: 5 * DAY },
  { twice: 0.05, late: 0.05, lost: 0.04, maxDelay: 3 * DAY },
];

/** Lives a life at Stripe. Everything follows from the seed. */
export function live(seed: number, market: Market, options: LifeOptions): Life {
  const random = new SeededRandom(seed);
  const born = birthOf(random, options);
  const stripe = new StripeAccount(market, {
    seed,
    start: born,
    apiVersion: random.pick(versions),
    types: [...options.types],
  });
  const customerId = `life-${String(seed)}`;
  const currency = random.pick(currencies);
  const postal = random.chance(0.5) ? calm : random.pick(rough);
  const pace = random.pick(options.paces ?? [6, 14, 14, 30]);
  const story: string[] = [];
  let linkedAt: number | null = null;
  const post = new Post(postal, random.fork(1));
  const print = (text: string): void => {
    story.push(`${new Date(stripe.now * 1000).toISOString()} ${text}`);
  };
  for (let step = 0; ; step += 1) {
    const own = random.fork(step + 100);
    const at = stripe.now + Math.ceil(own.next() * 2 * pace * DAY);
    if (step > 0 && at >= options.end) break;
    if (step > 0) advance(stripe, post, at);
    if (options.without?.has(step) === true && step > 0) continue;
    const actor: Actor = { stripe, market, random: own, customerId, currency };
    if (own.chance(0.1)) stripe.deliverTwice(2);
    print(`${String(step)} ${step === 0 ? begin(actor) : act(actor)}`);
    if (isLinked(stripe)) linkedAt ??= stripe.now;
  }
  // Whatever names no customer of Scrip's waits for a link, which may be the last thing that comes.
  link({ stripe, market, random, customerId, currency });
  advance(stripe, post, options.end);
  return {
    seed,
    customerId,
    start: born,
    end: options.end,
    stripe,
    arrivals: post.arrivals.sort((a, b) => a.at - b.at),
    lost: post.lost,
    standings: post.standings,
    consumptions: consumptionsOf(random.fork(2), born, options.end),
    lateness: (linkedAt ?? options.end) - born + post.lateness,
    story,
  };
}

/** Some day in the first quarter; for many one that not every month has, or one about the end of February. */
function birthOf(random: SeededRandom, { start, end }: LifeOptions): number {
  const time = (days: number): number => start + days * DAY + random.between(0, DAY - 1);
  const last = Math.floor((end - start) / DAY / 4);
  if (random.chance(0.6)) return time(random.between(0, last - 1));
  // A third of a story's time, so that one that begins in autumn may begin on 29 February, too.
  const awkward = Array.from({ length: Math.floor(last * 1.4) }, (_, day) => day).filter((day) => {
    const date = new Date((start + day * DAY) * 1000);
    return date.getUTCDate() >= 29 || (date.getUTCMonth() === 1 && date.getUTCDate() === 28);
  });
  return time(random.pick(awkward.slice(-12)));
}

/** In steps shorter than Stripe's memory of events. */
export function advance(stripe: StripeAccount, post: Post, to: number): void {
  while (stripe.now < to) {
    stripe.advanceTo(Math.min(to, stripe.now + 20 * DAY));
    post.take(stripe);
  }
}

/** The first of a few random actions that can happen now. */
function act(actor: Actor): string {
  const total = actions.reduce((sum, [weight]) => sum + weight, 0);
  for (let tries = 0; tries < 5; tries += 1) {
    let place = actor.random.next() * total;
    const chosen = actions.find(([weight]) => (place -= weight) < 0) ?? actions[0]!;
    const done = chosen[1](actor);
    if (done !== null) return done;
  }
  return 'does nothing';
}

/** Carries webhooks, with the faults of one life's delivery. */
export class Post {
  readonly arrivals: Arrival[] = [];
  readonly lost: Arrival[] = [];
  readonly standings: Standing[] = [];
  lateness = 0;

  constructor(
    private readonly delivery: Delivery,
    private readonly random: SeededRandom,
  ) {}

  take(stripe: StripeAccount): void {
    const { twice, late, lost, maxDelay } = this.delivery;
    for (const { created, body, object } of stripe.takeWebhooks()) {
      if (object.object === 'subscription') this.standings.push({ at: created, subscription: object });
      const arrival = { at: created, created, body };
      if (this.random.chance(lost)) {
        this.lost.push(arrival);
        continue;
      }
      this.#carry(arrival, this.random.chance(late) ? this.random.between(1, maxDelay) : 0);
      if (this.random.chance(twice)) this.#carry(arrival, this.random.between(0, Math.max(maxDelay, HOUR)));
    }
  }

  #carry(arrival: Arrival, delay: number): void {
    this.arrivals.push({ ...arrival, at: arrival.created + delay });
    this.lateness = Math.max(this.lateness, delay);
  }
}

function consumptionsOf(random: SeededRandom, start: number, end: number): readonly Consumption[] {
  const every = random.pick([3, 10, 30, 400]);
  const most = random.pick([20, 100, 600]);
  const found: Consumption[] = [];
  for (let at = start; ;) {
    at += Math.ceil(random.next() * 2 * every * DAY);
    if (at >= end) return found;
    found.push({ at, amount: random.between(1, most) });
  }
}
