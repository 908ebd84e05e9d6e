import { instantOf } from '#kernel/instant.js';
import { StripeClient } from '#stripe/operations/client.js';
import { stagesOf, type Finding, type KnownToLedger } from '#stripe/reconciliation/stages.js';
import { ManualClock } from '../../support/worlds/manual-clock.js';
import type { Life } from '../story/life.js';

/** Goes through everything that Stripe has of a life, and gives, page by page, what the ledger says otherwise. */
export async function* findingsOf({ stripe, seed }: Life, ledger: KnownToLedger): AsyncGenerator<readonly Finding[]> {
  const options = { secretKey: 'sk_test_1', apiBase: null, livemode: false, clock: new ManualClock() };
  const client = new StripeClient({ ...options, fetch: stripe.fetch });
  const source = {
    client,
    ledger,
    since: null,
    livemode: false,
    customerKey: 'customer_id',
    asOf: instantOf(stripe.now * 1000),
  };
  for (const stage of stagesOf(source)) {
    for (let after: string | null = null; ;) {
      const answer = await stage.page(after);
      if (answer.kind !== 'answered') throw new Error(`${stage.name} of ${String(seed)}: ${JSON.stringify(answer)}`);
      const { findings, next } = answer.value;
      yield findings;
      if (next === null) break;
      after = next;
    }
  }
}

/** All of it in words. */
export async function differencesOf(life: Life, ledger: KnownToLedger): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const findings of findingsOf(life, ledger))
    found.push(...findings.map(({ difference }) => `seed ${String(life.seed)}: ${JSON.stringify(difference)}`));
  return found;
}
