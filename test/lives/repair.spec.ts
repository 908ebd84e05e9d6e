import { expect, test } from '@jest/globals';
import { translatedTypes } from '#stripe/translations/registry.js';
import { SeededRandom } from '../simulation/random.js';
import { booksOf } from './books/books.js';
import { ledgerViews } from './audit/ledger-view.js';
import { live, type Life } from './story/life.js';
import { openMarket } from './story/market.js';
import { fetchOf } from './story/stripe-account.js';
import { differencesOf, findingsOf } from './audit/reconciled.js';
import { ScripInMemory } from './audit/scrip-in-memory.js';

const start = Date.UTC(2026, 0, 1) / 1000;
const end = start + 365 * 86_400;
const market = openMarket(start - 86_400);
const lives = Array.from({ length: 12 }, (_, seed) => live(seed + 1, market, { start, end, types: translatedTypes }));

/** One repair by objects alone: Stripe's list of events is left out, as if all of them were too old. */
async function repair(scrip: ScripInMemory, life: Life): Promise<void> {
  for await (const findings of findingsOf(life, await scrip.known())) {
    const differing = findings.filter(({ difference }) => !difference.type.startsWith('event_'));
    for (const { event } of differing) if (event !== null) await scrip.ingest(event);
    await scrip.workOff();
  }
}

test.each([0, 0.6])(
  'a year of which %d of the webhooks arrived is made good by the objects alone, in one go',
  async (share) => {
    const scrip = await ScripInMemory.open(market, fetchOf(lives.map(({ stripe }) => stripe)));
    try {
      const random = new SeededRandom(1);
      const arrived = lives.flatMap(({ arrivals }) => arrivals).filter(() => random.chance(share));
      scrip.setTime(end);
      await scrip.take(arrived.map(({ body }) => body));
      await scrip.workOff();
      for (const life of lives) await repair(scrip, life);
      const left: string[] = [];
      for (const life of lives) left.push(...(await differencesOf(life, await scrip.known())));
      expect(left.filter((text) => !text.includes('"type":"event_'))).toEqual([]);
      expect(scrip.parked).toEqual([]);

      await scrip.project();
      const { db, store } = scrip.world;
      const views = await ledgerViews(
        db,
        store,
        lives.map(({ customerId }) => customerId),
        scrip.time,
      );
      for (const [index, life] of lives.entries()) {
        // What cost nothing left no payment to compare: only its event reports it.
        const packs = booksOf(life, market).grants.filter(({ why, cost }) => why === 'pack' && cost !== null);
        const granted = views[index]!.grants.map(({ reference, amount }) => `${String(reference)} ${String(amount)}`);
        for (const { reference, amount } of packs) expect(granted).toContain(`${reference} ${String(amount)}`);
      }
    } finally {
      await scrip.close();
    }
  },
);
