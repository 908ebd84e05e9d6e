import { translatedTypes } from '#stripe/translations/registry.js';
import { audit } from './audit/audit.js';
import { booksOf, type Money } from './books/books.js';
import { DAY } from './books/calendar.js';
import { ledgerViews } from './audit/ledger-view.js';
import { live, type Life } from './story/life.js';
import { kindsOf, sumOfKinds, type Occurrences } from './story/kinds.js';
import { openMarket, type Market } from './story/market.js';
import { fetchOf } from './story/stripe-account.js';
import { differencesOf } from './audit/reconciled.js';
import { ScripInMemory } from './audit/scrip-in-memory.js';

/** When lives begin, in seconds. A leap year's February is in what follows. */
export const START = Date.UTC(2027, 6, 1) / 1000;
const TICK = DAY / 4;
const WEEK = 7 * DAY;
/** How often a reconciliation finds what was lost. */
const RECONCILED = 20 * DAY;

export type Failure = { readonly seed: number; readonly faults: readonly string[]; readonly story: readonly string[] };
export type Played = {
  readonly lives: number;
  readonly webhooks: number;
  readonly failures: readonly Failure[];
  readonly money: readonly Money[];
  /** How often each kind of thing has happened. */
  readonly kinds: Occurrences;
  /** What is wrong beyond a single life: events left parked, read models that differ from the log. */
  readonly faults: readonly string[];
};

export type Batch = {
  readonly seeds: readonly number[];
  readonly years: number;
  /** Steps of the stories that are left out. */
  readonly without: readonly number[];
};

/** Lives these lives side by side, through webhooks, ledger and read models, and audits each against its books. */
export function play({ seeds, years, without }: Batch): Promise<Played> {
  const market = openMarket(START - DAY);
  const end = START + years * 365 * DAY;
  const options = { start: START, end, types: translatedTypes, without: new Set(without) };
  return playLives(
    market,
    seeds.map((seed) => live(seed, market, options)),
    end,
  );
}

/** Plays lives that were lived from `START` until `end`, in seconds. */
export async function playLives(market: Market, lives: readonly Life[], end: number): Promise<Played> {
  const scrip = await ScripInMemory.open(market, fetchOf(lives.map(({ stripe }) => stripe)));
  try {
    const consumed = await through(scrip, lives, end);
    const { db, store } = scrip.world;
    const views = await ledgerViews(
      db,
      store,
      lives.map(({ customerId }) => customerId),
      scrip.time,
    );
    const all = lives.map((life) => ({ life, books: booksOf(life, market) }));
    const failures = all.flatMap(({ life, books }, index): readonly Failure[] => {
      const faults = audit(life, market, books, views[index]!, consumed.get(life.customerId) ?? 0);
      return faults.length === 0 ? [] : [{ seed: life.seed, faults, story: life.story }];
    });
    const differences = await scrip.world.differences();
    const known = await scrip.known();
    const unlike: string[] = [];
    for (const life of lives) unlike.push(...(await differencesOf(life, known)));
    return {
      lives: lives.length,
      webhooks: lives.reduce((sum, { arrivals, lost }) => sum + arrivals.length + lost.length, 0),
      failures,
      money: all.flatMap(({ books }) => books.money),
      kinds: sumOfKinds(lives.map((life) => kindsOf(life, market))),
      faults: [...scrip.parked, ...unlike, ...differences.map((difference) => JSON.stringify(difference))],
    };
  } finally {
    await scrip.close();
  }
}

type Happening = { readonly at: number } & (
  { readonly body: string } | { readonly customerId: string; readonly amount: number }
);

function happeningsOf({ arrivals, lost, consumptions, customerId }: Life, end: number): readonly Happening[] {
  const found = lost.map((one) => ({ ...one, at: Math.min(end, Math.ceil(one.created / RECONCILED) * RECONCILED) }));
  return [...arrivals, ...found, ...consumptions.map((one) => ({ ...one, customerId }))];
}

/** Lets everything happen in order of time; answers what each customer could use. */
async function through(scrip: ScripInMemory, lives: readonly Life[], end: number): Promise<Map<string, number>> {
  const happenings = lives.flatMap((life) => happeningsOf(life, end)).sort((a, b) => a.at - b.at);
  const consumed = new Map<string, number>();
  let place = 0;
  let week = START;
  const last = happenings.at(-1)?.at ?? end;
  for (let now = START; now < Math.max(last, end) + TICK; now += TICK) {
    scrip.setTime(now);
    const bodies: string[] = [];
    for (let next = happenings[place]; next !== undefined && next.at <= now; next = happenings[++place]) {
      if ('body' in next) bodies.push(next.body);
      else {
        const used = await scrip.consume(next.customerId, next.amount);
        consumed.set(next.customerId, (consumed.get(next.customerId) ?? 0) + used);
      }
    }
    await scrip.take(bodies);
    if (bodies.length > 0) await scrip.workOff();
    if (now < week + WEEK && now < end) continue;
    week = now;
    await scrip.letTimePass();
  }
  await scrip.letTimePass();
  await scrip.project();
  return consumed;
}
