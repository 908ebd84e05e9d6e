import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseInstant } from '#kernel/instant.js';
import { stripeEventStream } from '#kernel/stream-name.js';
import type { ReceivedStripeEvent } from '#ledger/stripe-event.js';
import type { StripeLedger } from './cli.module.js';
import { WrongUse, type Call, type Command, type ExitCode } from './command.js';
import { table } from './output.js';
import { Progress } from './progress.js';
import type { Difference } from './reconcile-objects.js';
import { stagesOf, type Finding } from './reconcile-stages.js';
import { stripeClient, whyNot } from './stripe-client.js';

const DAY_MS = 86_400_000;
/** Stripe lists its events for as long. */
const EVENT_DAYS = 30;
const MAX_KEPT = 10_000;
/** How long the worker gets to take in what the events of a repair say, before objects are compared. */
const SETTLE_MS = 15_000;

type Result = Difference & { readonly repair: 'none' | 'fed' | 'retried' | 'failed' };

/** How far a run has come; what is kept in the file, so that a run that broke off is gone on with. */
type Run = {
  readonly repair: boolean;
  readonly since: number;
  stage: number;
  after: string | null;
  checked: number;
  differences: number;
  unrepaired: number;
  results: Result[];
};

async function reconcile(call: Call): Promise<ExitCode> {
  const { environment, output } = call;
  const { clock, config } = environment;
  const client = stripeClient(environment);
  const file = call.text('checkpoint') ?? join(config.dataDir, 'stripe-reconcile.json');
  const run = await resumed(file, fresh(call, clock.now()));
  const ledger = await environment.stripeLedger();
  const { livemode } = config.stripe;
  const stages = stagesOf({ client, ledger, since: run.since, livemode, now: clock.now() });
  const progress = new Progress(output, clock, 'compared');
  for (; run.stage < stages.length; run.stage += 1, run.after = null) {
    const stage = stages[run.stage];
    for (; stage !== undefined;) {
      const answer = await stage.page(run.after);
      if (answer.kind !== 'answered') {
        output.progress(`${stage.name}: ${whyNot(answer)} (${file})`);
        return 1;
      }
      const { checked, findings, next } = answer.value;
      await note(run, findings, ledger);
      if (stage.name === 'events' && run.repair) await settled(call, ledger, findings);
      run.checked += checked;
      run.after = next;
      progress.add(checked);
      if (next === null) break;
      await save(file, run);
    }
    await save(file, { ...run, stage: run.stage + 1, after: null });
  }
  progress.end();
  await rm(file, { force: true });
  await output.answer(reportOf(run), () => describe(run));
  return run.unrepaired === 0 ? 0 : 1;
}

function fresh(call: Call, now: number): Run {
  const time = call.text('since');
  const since = time === null ? now - EVENT_DAYS * DAY_MS : Date.parse(parseInstant(time) ?? '');
  if (!(since <= now)) throw new WrongUse('--since must be a time such as 2026-11-21T08:00:00Z, not later than now');
  const [stage, after] = [0, null];
  const counts = { checked: 0, differences: 0, unrepaired: 0, results: [] };
  return { repair: call.flag('repair'), since: Math.floor(since / 1000), stage, after, ...counts };
}

/** The run that broke off, if it was one like this: the same question, up to when it was asked. */
async function resumed(file: string, wanted: Run): Promise<Run> {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return wanted;
  try {
    const kept = JSON.parse(text) as Run;
    const alike = kept.repair === wanted.repair && Math.abs(kept.since - wanted.since) < DAY_MS / 1000;
    return alike ? kept : wanted;
  } catch {
    return wanted; // cut short while it was written; the question is asked anew
  }
}

async function save(file: string, run: Run): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, JSON.stringify(run), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

async function note(run: Run, findings: readonly Finding[], ledger: StripeLedger): Promise<void> {
  for (const { difference, telling } of findings) {
    const repair = run.repair ? await repaired(ledger, difference, telling) : 'none';
    run.differences += 1;
    if (repair === 'none' || repair === 'failed') run.unrepaired += 1;
    if (run.results.length < MAX_KEPT) run.results.push({ ...difference, repair });
  }
}

/** Feeds what is missing the way a webhook comes in; what is parked is tried again. */
async function repaired(
  ledger: StripeLedger,
  difference: Difference,
  telling: ReceivedStripeEvent,
): Promise<Result['repair']> {
  const parked = difference.type === 'event_parked';
  const outcome = await ledger.stripeEvent.execute({
    stream: stripeEventStream(telling.stripeEventId),
    command: parked ? { type: 'RequestRetry' } : { type: 'ReceiveStripeEvent', ...telling },
    key: parked ? null : telling.stripeEventId,
    origin: parked ? 'cli' : 'stripe',
    fingerprint: null,
    actor: 'cli',
    causationId: null,
    correlationId: randomUUID(),
  });
  if (outcome.kind !== 'recorded' || outcome.replayed) return 'failed';
  return parked ? 'retried' : 'fed';
}

/** Waits until the worker has taken in what was fed, so that the objects behind it are not found missing as well. */
async function settled(call: Call, ledger: StripeLedger, findings: readonly Finding[]): Promise<void> {
  const { clock } = call.environment;
  const until = clock.now() + SETTLE_MS;
  for (const { telling } of findings) {
    for (;;) {
      const { state } = await ledger.stripeEvent.load(stripeEventStream(telling.stripeEventId));
      if (state.status !== 'waiting' || clock.now() > until) break;
      await clock.sleep(200);
    }
  }
}

const reportOf = ({ since, checked, differences, unrepaired, results }: Run) => ({
  since: new Date(since * 1000).toISOString(),
  checked,
  differences,
  unrepaired,
  found: results,
});

function describe(run: Run): string {
  const { since, checked, differences, unrepaired, found } = reportOf(run);
  const sum = `${String(checked)} events and objects since ${since}: ${String(differences)} differences, ${String(unrepaired)} left`;
  const rows = found.map(({ type, id, stripe, ledger, repair }) => [
    ...[type, id, JSON.stringify(stripe), ledger === null ? 'nothing' : JSON.stringify(ledger)],
    repair === 'none' ? '' : repair,
  ]);
  return rows.length === 0 ? sum : `${table(['difference', 'id', 'Stripe', 'ledger', ''], rows)}\n\n${sum}`;
}

export const reconcileCommands: readonly Command[] = [
  {
    name: 'stripe reconcile',
    summary: "Compare Stripe's events and objects with the ledger (exit 1 when something differs and is not repaired)",
    options: [
      { name: 'repair', value: null, help: 'feed what is missing as a webhook would, and try what is parked again' },
      { name: 'since', value: 'TIME', help: 'how far back (default 30 days, as far as Stripe lists events)' },
      { name: 'checkpoint', value: 'FILE', help: 'where a run that breaks off leaves how far it came' },
    ],
    run: reconcile,
  },
];
