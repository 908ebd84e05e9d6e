import type { Config } from '#config/env.js';
import type { Clock } from '#kernel/clock.js';
import type { StripeHealth } from './health.js';

const keepMs = 30_000;
const patienceMs = 1_500;

/**
 * Whether Stripe can be used: `missing` without a key; else a light request is made, at most one in half a minute, and none
 * while billing is switched off.
 */
export function probeStripe(stripe: Config['stripe'], clock: Clock): () => Promise<StripeHealth> {
  const { secretKey, billingEnabled } = stripe;
  const url = new URL('/v1/balance', stripe.apiBase ?? 'https://api.stripe.com');
  let last: { at: number; health: Promise<StripeHealth> } | null = null;
  return () => {
    if (secretKey === null) return Promise.resolve('missing');
    if (!billingEnabled) return Promise.resolve('configured');
    if (last === null || clock.now() - last.at > keepMs) last = { at: clock.now(), health: ask(url, secretKey) };
    return last.health;
  };
}

async function ask(url: URL, secretKey: string): Promise<StripeHealth> {
  try {
    const answer = await fetch(url, {
      headers: { authorization: `Bearer ${secretKey}` },
      signal: AbortSignal.timeout(patienceMs),
    });
    await answer.body?.cancel();
    return answer.ok ? 'configured' : 'error';
  } catch (error) {
    return error instanceof Error && error.name === 'TimeoutError' ? 'timeout' : 'error';
  }
}
