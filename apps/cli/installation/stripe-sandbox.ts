import { randomInt } from 'node:crypto';
import { catalogStream } from '#kernel/stream-name.js';
import type { Catalog } from '#ledger/catalog.js';
import { onSale, pushCatalog, withKnownPrices } from '#stripe/operations/catalog.js';
import { intentLog } from '../catalog/push.js';
import type { CliEnvironment } from '../cli.module.js';
import type { Running } from './data-dir.js';
import { demandFree, freePort, isFree, localUrl } from './ports.js';
import { priceElsewhere } from '../catalog/price-elsewhere.js';
import { whyNot } from '../stripe-client.js';

const defaultPort = 12_111;

/** An offline Stripe to be started, and what it and those who call it are told. */
export type SandboxPlan = {
  /** Where browsers see it. */
  readonly site: string;
  readonly connection: NonNullable<Running['sandbox']>;
  /** For the sandbox itself. */
  readonly own: NodeJS.ProcessEnv;
  /** For api and worker. */
  readonly callers: NodeJS.ProcessEnv;
};

/**
 * The sandbox that stands in for Stripe, telling its events to the api at `apiUrl`; null where Stripe itself, another stand-in or
 * nothing is to be called. Throws ProgramFailed when SANDBOX_PORT is taken.
 */
export async function planSandbox(
  { config, dataDir, variables }: CliEnvironment,
  { apiUrl, webhookSecret }: { readonly apiUrl: string; readonly webhookSecret: string },
): Promise<SandboxPlan | null> {
  const { billingEnabled, secretKey, apiBase } = config.stripe;
  if (!billingEnabled || secretKey !== null || apiBase !== null) return null;
  const given = (name: string, otherwise: string): string => {
    const value = variables[name]?.trim() ?? '';
    return value === '' ? otherwise : value;
  };
  const host = given('SANDBOX_HOST', '127.0.0.1');
  const port = await portFor(host, Number(given('SANDBOX_PORT', '0')));
  const address = localUrl(host, port);
  const site = given('SANDBOX_PUBLIC_URL', address);
  return {
    site,
    connection: { apiBase: address, secretKey: 'sk_test_sandbox' },
    own: {
      SANDBOX_HOST: host,
      SANDBOX_PORT: String(port),
      SANDBOX_PUBLIC_URL: site,
      SANDBOX_DATA_FILE: given('SANDBOX_DATA_FILE', dataDir.sandbox),
      // A sandbox that starts afresh must not give ids that the log knows from an earlier one.
      SANDBOX_SEED: given('SANDBOX_SEED', String(randomInt(2 ** 31))),
      SANDBOX_WEBHOOK_URL: `${apiUrl}/v1/webhooks/stripe`,
      SANDBOX_WEBHOOK_SECRET: webhookSecret,
    },
    callers: {
      STRIPE_SECRET_KEY: 'sk_test_sandbox',
      STRIPE_PUBLISHABLE_KEY: given('STRIPE_PUBLISHABLE_KEY', 'pk_test_sandbox'),
      STRIPE_API_BASE: address,
      STRIPE_RETURN_URL: given('STRIPE_RETURN_URL', `${site}/return?session={CHECKOUT_SESSION_ID}`),
    },
  };
}

/** The port that was asked for, the usual one, or where another program has that, any. */
async function portFor(host: string, wanted: number): Promise<number> {
  if (wanted !== 0) await demandFree('SANDBOX_PORT', host, wanted);
  if (wanted !== 0) return wanted;
  return (await isFree(host, defaultPort)) ? defaultPort : freePort(host);
}

/** What to make of the log's catalogue (null: nothing), and a price of another Stripe account that keeps the sandbox from selling it. */
type Priced = { readonly catalog: Catalog | null; readonly elsewhere: string | null };

/**
 * The catalogue (null: the one that is recorded) with a price at the sandbox for everything that costs money, so that it can be
 * bought. It is given back as it was when the sandbox does not answer (`tell` says why), or when it names prices of another Stripe
 * account; where the log has such prices, nothing is to be changed.
 */
export async function pricedAtSandbox(
  environment: CliEnvironment,
  { connection }: SandboxPlan,
  wanted: Catalog | null,
  print: (text: string) => void,
): Promise<Priced> {
  const { state } = await (await environment.ledger()).catalog.load(catalogStream);
  const recorded = onSale(state);
  const elsewhere = priceElsewhere(recorded);
  if (elsewhere !== null) return { catalog: null, elsewhere };
  const named = wanted === null ? null : priceElsewhere(wanted);
  if (named !== null) return { catalog: wanted, elsewhere: named };
  const { clock } = environment;
  const { StripeClient } = await import('#stripe/operations/client.js');
  const client = new StripeClient({ ...connection, livemode: false, clock });
  const way = { client, log: await intentLog(environment), clock };
  const answer = await pushCatalog(way, wanted === null ? recorded : withKnownPrices(wanted, state));
  if (answer.kind === 'answered') return { catalog: answer.value.catalog, elsewhere: null };
  print(`the catalogue is not on sale: ${whyNot(answer)}`);
  return { catalog: wanted, elsewhere: null };
}
