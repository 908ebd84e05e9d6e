import { randomUUID } from 'node:crypto';
import { instantOf, parseInstant, plusMs } from '#kernel/instant.js';
import {
  catalogStream,
  invoiceStream,
  paymentStream,
  stripeEventStream,
  subscriptionStream,
} from '#kernel/stream-name.js';
import type { ReceivedStripeEvent, StripeEventCommand } from '#ledger/stripe/event.js';
import { paymentIds } from '#projections/payments/queries.js';
import { itemsOf } from '#database/page.js';
import type { Database } from '#database/database.js';
import { whileLocked } from '#database/lock.js';
import type { StripeClient } from '#stripe/operations/client.js';
import * as runs from '#records/reconciliation.js';
import type { ReconciliationRun } from '#records/reconciliation.js';
import { customersOfStripe } from '#records/stripe-links.js';
import { reconcile, settleRest, type Ledger } from '#stripe/reconciliation/reconcile.js';
import type { CliEnvironment } from '../cli.module.js';
import { WrongUse, type Call, type Command, type ExitCode } from '../terminal/command.js';
import type { Output } from '../terminal/output.js';
import { ProgressBar } from '../terminal/progress-bar.js';
import { stripeClient, whyNot } from '../stripe-client.js';

const DAY_MS = 86_400_000;
const PAGE = 200;

async function run(call: Call): Promise<ExitCode> {
  const { environment, output } = call;
  const since = sinceOf(call, environment.clock.now());
  const client = await stripeClient(environment);
  const database = await environment.database();
  const lock = { db: database, clock: environment.clock, pollMs: null };
  let isDone = false;
  try {
    const isFirst = await whileLocked('reconcile', lock, new AbortController().signal, async () => {
      isDone = await reconcileAll(call, { client, database, since });
    });
    if (!isFirst) output.progress('another reconciliation is under way; see GET /v1/admin/reconciliation');
  } finally {
    output.endStatus();
  }
  const finished = isDone ? await runs.newestRun(database) : null;
  return finished === null ? 1 : printReport(finished, database, output);
}

type Parts = { readonly client: StripeClient; readonly database: Database; readonly since: string | null };

/** False when Stripe did not answer. */
async function reconcileAll(call: Call, { client, database, since }: Parts): Promise<boolean> {
  const { environment, output } = call;
  const now = instantOf(environment.clock.now());
  const wanted = { startedBy: 'cli', repair: call.flag('repair'), since };
  const times = { now, resumableSince: plusMs(now, -DAY_MS) };
  const begun = await runs.beginRun(database, wanted, times);
  const ledger = await ledgerOf(environment, database, begun.run.id);
  const bar = new ProgressBar(output, environment.clock);
  const answer = await reconcile({
    client,
    ledger,
    clock: environment.clock,
    repair: wanted.repair,
    since,
    livemode: environment.config.stripe.livemode,
    customerKey: environment.config.stripe.customerKey,
    from: begun.place,
    keep: (place, found, listed) => runs.keepPlace(database, begun.run.id, place, found, listed),
    report: ({ stage, checked }, { name, count }) => {
      bar.show(stage, count, `${name}: ${checked.toLocaleString('en')} compared`);
    },
  });
  if (answer.kind !== 'answered') {
    output.progress(whyNot(answer));
    return false;
  }
  await settleTheRest(begun.run.id, database, ledger, environment);
  await runs.finishRun(database, begun.run.id, instantOf(environment.clock.now()));
  return true;
}

function sinceOf(call: Call, now: number): string | null {
  const text = call.text('since');
  if (text === null) return null;
  const since = parseInstant(text);
  if (since === null || since > instantOf(now))
    throw new WrongUse('--since must be a time such as 2026-11-21T08:00:00Z, not later than now');
  return since;
}

/** What the log says, and the way to tell it more. */
async function ledgerOf(environment: CliEnvironment, database: Database, runId: string): Promise<Ledger> {
  const handlers = await environment.ledger();
  const catalog = (await handlers.catalog.load(catalogStream)).state;
  const execute = (id: string, command: StripeEventCommand, key: string | null) =>
    handlers.stripeEvent.execute({
      stream: stripeEventStream(id),
      command,
      key,
      origin: key === null ? 'cli' : 'stripe',
      fingerprint: null,
      actor: 'cli',
      causationId: null,
      correlationId: randomUUID(),
    });
  const ingest = async (event: ReceivedStripeEvent): Promise<void> => {
    const { stripeEventId: id } = event;
    const received = await execute(id, { type: 'ReceiveStripeEvent', ...event }, id);
    const known = received.kind === 'unchanged' || (received.kind === 'recorded' && received.replayed);
    const outcome = known ? await execute(id, { type: 'RequestRetry' }, null) : received;
    if (outcome.kind !== 'recorded' && outcome.kind !== 'unchanged')
      throw new Error(`the ledger could not take the event: ${outcome.kind}`);
  };
  return {
    ingest,
    stripeEvent: async (id) => (await handlers.stripeEvent.load(stripeEventStream(id))).state,
    payment: async (id) => (await handlers.payment.load(paymentStream(id))).state,
    invoice: async (id) => (await handlers.invoice.load(invoiceStream(id))).state,
    subscription: async (id) => (await handlers.subscription.load(subscriptionStream(id))).state,
    catalog: () => Promise.resolve(catalog),
    isLinked: async (id) => (await customersOfStripe(database, [id])).size > 0,
    payments: (after, limit) => paymentIds(database, after, limit),
    unlisted: (ids) => runs.unlistedOf(database, runId, ids),
  };
}

const settleTheRest = (runId: string, database: Database, ledger: Ledger, { clock }: CliEnvironment) =>
  settleRest(
    {
      list: (after) => runs.unsettledDifferences(database, runId, after),
      recordRepair: (number, repair) => runs.noteRepair(database, runId, number, repair),
    },
    ledger,
    clock,
  );

/** Writes the run and what it found, page by page: there may be more than fits in memory. */
async function printReport(finished: ReconciliationRun, database: Database, output: Output): Promise<ExitCode> {
  const summary = await runs.differenceCounts(database, finished.id);
  const { differences, unrepaired } = summary;
  const report = { ...finished, ...summary };
  if (output.json) await output.write(`${JSON.stringify(report).slice(0, -1)},"found":[`);
  let first = true;
  const all = itemsOf((cursor) => runs.differencesOf(database, finished.id, PAGE, cursor));
  for await (const found of all) {
    await output.write(output.json ? `${first ? '' : ','}\n${JSON.stringify(found)}` : `${lineOf(found)}\n`);
    first = false;
  }
  const since = finished.since === null ? '' : ` since ${finished.since}`;
  await output.write(
    output.json
      ? ']}\n'
      : `${finished.checked.toLocaleString('en')} events and objects${since}: ${String(differences)} differences, ${String(unrepaired)} left\n`,
  );
  return unrepaired === 0 ? 0 : 1;
}

const lineOf = ({ type, id, stripe, ledger, repair }: runs.FoundDifference): string =>
  [
    `${type} ${id}${repair === 'none' ? '' : `: ${repair}`}`,
    `  Stripe  ${stripe === null ? 'nothing' : JSON.stringify(stripe)}`,
    `  ledger  ${ledger === null ? 'nothing' : JSON.stringify(ledger)}`,
  ].join('\n');

export const reconcileCommands: readonly Command[] = [
  {
    name: 'stripe reconcile',
    summary: "Compare Stripe's events and objects with the ledger (exit 1 when something differs and is not repaired)",
    options: [
      {
        name: 'repair',
        value: null,
        help: 'tell the ledger what it lacks as a webhook would; try what is parked again',
      },
      { name: 'since', value: 'TIME', help: 'leave out what was made before, such as before Scrip was used' },
    ],
    help: 'Stripe lists events for 30 days; what is older is compared by its objects. A run that broke off is gone on with when\nit is started again within a day. The result is kept: GET /v1/admin/reconciliation.',
    run,
  },
];
