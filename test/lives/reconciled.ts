import { instantOf } from '#kernel/instant.js';
import { StripeClient } from '#stripe/client.js';
import { stagesOf, type KnownToLedger } from '#stripe/reconcile-stages.js';
import { ManualClock } from '../support/manual-clock.js';
import type { Life } from './life.js';

/** What a comparison of everything that Stripe has of a life finds the ledger to say otherwise. */
export async function differencesOf({ stripe, seed }: Life, ledger: KnownToLedger): Promise<readonly string[]> {
  const options = { secretKey: 'sk_test_1', apiBase: null, livemode: false, clock: new ManualClock() };
  const client = new StripeClient({ ...options, fetch: stripe.fetch });
  const source = { client, ledger, since: null, livemode: false, asOf: instantOf(stripe.now * 1000) };
  const found: string[] = [];
  for (const stage of stagesOf(source)) {
    for (let after: string | null = null; ;) {
      const answer = await stage.page(after);
      if (answer.kind !== 'answered') throw new Error(`${stage.name} of ${String(seed)}: ${JSON.stringify(answer)}`);
      const { findings, next } = answer.value;
      found.push(...findings.map(({ difference }) => `seed ${String(seed)}: ${JSON.stringify(difference)}`));
      if (next === null) break;
      after = next;
    }
  }
  return found;
}
