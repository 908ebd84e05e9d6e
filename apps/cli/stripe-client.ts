import { ConfigError } from '#config/env.js';
import type { StripeAnswer, StripeClient } from '#stripe/operations/client.js';
import type { CliEnvironment } from './cli.module.js';

/** The way to Stripe, or to the sandbox of the running `scrip up`. Throws ConfigError where there is none to call. */
export async function stripeClient({ config, clock, dataDir }: CliEnvironment): Promise<StripeClient> {
  if (!config.stripe.billingEnabled) throw new ConfigError('STRIPE_BILLING_ENABLED is false: Stripe is not called');
  const sandbox = config.stripe.secretKey === null ? ((await dataDir.running())?.sandbox ?? null) : null;
  // Only now: other commands would load Stripe's two hundred files for nothing.
  const { stripeClientOf } = await import('#stripe/operations/client.js');
  const client = stripeClientOf({ ...config.stripe, ...sandbox }, clock);
  if (client === null) throw new ConfigError('STRIPE_SECRET_KEY is needed to call Stripe');
  return client;
}

/** Why there is no answer, and what to do, in one line. */
export function whyNot(answer: Exclude<StripeAnswer<never>, { kind: 'answered' }>): string {
  if (answer.kind === 'unavailable') return 'Stripe does not answer: run this again later, it goes on where it was';
  const { status, code, param } = answer;
  if (status === 401 || status === 403) return 'Stripe does not accept STRIPE_SECRET_KEY';
  return `Stripe refused with ${String(status)} ${code}${param === null ? '' : ` (${param})`}`;
}
