import { catalogStream } from '#kernel/stream-name.js';
import { stripeIntentStream } from '#ledger/stripe/intent.js';
import type { IntentLog } from '#stripe/operations/run.js';
import { onSale, pushCatalog, type Pushed } from '#stripe/operations/catalog.js';
import { applyCatalog, describeChanges } from '../commands/catalog.js';
import type { CliEnvironment } from '../cli.module.js';
import type { Call, Command, ExitCode } from '../terminal/command.js';
import { table } from '../terminal/output.js';
import { priceElsewhere, soldElsewhere } from './price-elsewhere.js';
import { stripeClient, whyNot } from '../stripe-client.js';

async function push({ environment, output }: Call): Promise<ExitCode> {
  const client = await stripeClient(environment);
  const { state } = await (await environment.ledger()).catalog.load(catalogStream);
  const context = { client, log: await intentLog(environment), clock: environment.clock };
  const recorded = onSale(state);
  const elsewhere = environment.config.stripe.secretKey === null ? priceElsewhere(recorded) : null;
  if (elsewhere !== null) {
    output.progress(soldElsewhere(elsewhere));
    return 1;
  }
  const answer = await pushCatalog(context, recorded);
  if (answer.kind !== 'answered') {
    output.progress(whyNot(answer));
    return 1;
  }
  const { catalog, pushed } = answer.value;
  const changes = await applyCatalog(environment, catalog);
  await output.answer({ pushed, changes }, () => describe(pushed, describeChanges(changes)));
  return 0;
}

/** Where the intents of the push are kept: in the log, as those of the API are. */
export async function intentLog(environment: CliEnvironment): Promise<IntentLog> {
  const { stripeIntent: intents } = await environment.ledger();
  return {
    load: async (intentId) => (await intents.load(stripeIntentStream(intentId))).state,
    record: async (intentId, command) => {
      const outcome = await intents.execute({
        stream: stripeIntentStream(intentId),
        command,
        key: null, // the state tells whether it is done
        origin: 'cli',
        fingerprint: null,
        actor: 'cli',
        causationId: null,
        correlationId: intentId,
      });
      if (outcome.kind !== 'recorded' && outcome.kind !== 'unchanged')
        throw new Error(`an intent was not recorded: ${outcome.kind}`);
    },
  };
}

const describe = (pushed: readonly Pushed[], changes: string): string =>
  pushed.length === 0
    ? 'nothing in the catalogue costs money'
    : [
        table(
          ['at Stripe', 'name', 'id', ''],
          pushed.map(({ what, name, stripeId, result }) => [what, name, stripeId, result]),
        ),
        '',
        changes,
      ].join('\n');

export const catalogPushCommands: readonly Command[] = [
  {
    name: 'catalog push-stripe',
    summary: 'Make or find the products and prices of the catalogue at Stripe, and record their ids',
    run: push,
  },
];
