import type { Clock } from '#kernel/clock.js';
import { instantOf, type Instant } from '#kernel/instant.js';
import type { ReceivedStripeEvent } from '#ledger/stripe/event.js';
import type { StripeAnswer, StripeClient } from '../operations/client.js';
import { inSlices } from '../operations/in-slices.js';
import { mapAnswer } from '../operations/operation.js';
import type { Difference } from './compare.js';
import { ledgerStage, type LedgerContents } from './ledger.js';
import { stagesOf, type Finding, type KnownToLedger, type Stage } from './stages.js';

/**
 * What became of a difference: `none` was asked for, or nothing could be reported; the ledger says the same now (`repaired`); it was reported and a worker has yet
 * to take it in (`waiting`); it was reported and parked (`parked`); or telling it changed nothing (`failed`).
 */
export type Repair = 'none' | 'repaired' | 'waiting' | 'parked' | 'failed';
/** `toldAs`: id of the Stripe event that was given to the ledger for it; null where none was. */
export type Result = Difference & { readonly repair: Repair; readonly toldAs: string | null };

/** How far a run has come; kept, so that one that broke off is gone on with. */
export type Progress = { readonly stage: number; readonly after: string | null; readonly checked: number };

export type Ledger = KnownToLedger &
  LedgerContents & {
    /** Takes an event in as its webhook would be, or, when it is known and parked, asks for another try. May be repeated. */
    ingest(event: ReceivedStripeEvent): Promise<void>;
  };

export type Run = {
  readonly client: StripeClient;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly repair: boolean;
  readonly since: Instant | null;
  readonly livemode: boolean;
  /** The key of Stripe's metadata that names our customer. */
  readonly customerKey: string;
  readonly from: Progress;
  /** Keeps how far the run is, what it found since the last time and what Stripe listed, all or nothing. */
  readonly keep: (progress: Progress, found: readonly Result[], listed: readonly string[]) => Promise<void>;
  readonly report: (progress: Progress, stage: { readonly name: string; readonly count: number }) => void;
};

/** What is on its way gets so long to arrive before it counts as a difference. */
const ON_THE_WAY_MS = 500;
/** How long a worker gets to take in what a page of a repair tells. */
const SETTLE_MS = 15_000;
const POLL_MS = 100;

/**
 * Compares Stripe's events and objects with the ledger, page by page in constant memory, and tells the ledger what it lacks when
 * `repair` is asked for. Writes nothing else. Ends early with Stripe's answer when that is none; then the run can be gone on with
 * from what was kept last. Throws what the ledger and `keep` throw.
 */
export async function reconcile(run: Run): Promise<StripeAnswer<Progress>> {
  const asOf = await newestAt(run);
  if (asOf.kind !== 'answered') return asOf;
  const { client, ledger, since, livemode, customerKey } = run;
  const lists = stagesOf({ client, ledger, since, livemode, customerKey, asOf: asOf.value });
  const stages = [...lists, ledgerStage(ledger, client, since)];
  let progress = run.from;
  let worker: Worker = { answers: true };
  for (let stage = stages[progress.stage]; stage !== undefined; stage = stages[progress.stage]) {
    const answer = await pageOf(stage, progress.after);
    if (answer.kind !== 'answered') return answer;
    const { checked, findings, listed, next } = answer.value;
    // The newest come first: only among them can be what is still on its way.
    const standing = progress.after === null ? await standingOf(run, findings) : findings;
    const settled = await settle(run, standing, worker);
    worker = settled.worker;
    progress = {
      stage: next === null ? progress.stage + 1 : progress.stage,
      after: next,
      checked: progress.checked + checked,
    };
    await run.keep(progress, settled.results, listed);
    run.report(progress, { name: stage.name, count: stages.length });
  }
  return { kind: 'answered', value: progress };
}

/** The page after `after`; the first one when Stripe has it no longer, because an event grew too old meanwhile. */
async function pageOf(stage: Stage, after: string | null): ReturnType<Stage['page']> {
  const answer = await stage.page(after);
  const gone = answer.kind === 'refused' && answer.param === 'starting_after';
  return gone && after !== null ? stage.page(null) : answer;
}

/** Stripe's time, by the newest event that it has; ours while it has none. */
async function newestAt({ client, clock }: Run): Promise<StripeAnswer<Instant>> {
  const newest = await client.ask('list', (stripe) => stripe.events.list({ limit: 1 }));
  return mapAnswer(newest, ({ data }) => instantOf(data[0] === undefined ? clock.now() : data[0].created * 1000));
}

/** Whether a worker has taken in what it was told so far; one that does not is not waited for again and again. */
type Worker = { readonly answers: boolean };

async function settle(
  run: Run,
  standing: readonly Finding[],
  worker: Worker,
): Promise<{ readonly results: readonly Result[]; readonly worker: Worker }> {
  if (!run.repair)
    return { results: standing.map(({ difference }) => ({ ...difference, repair: 'none', toldAs: null })), worker };
  await inSlices(standing, async ({ event }) => {
    if (event !== null) await run.ledger.ingest(event);
  });
  const until = run.clock.now() + (worker.answers ? SETTLE_MS : 0);
  const results: Result[] = [];
  let answers = worker.answers;
  for (const finding of standing) {
    const repair = await outcomeOf(run, finding, until);
    answers = answers && repair !== 'waiting';
    results.push({ ...finding.difference, repair, toldAs: finding.event?.stripeEventId ?? null });
  }
  return { results, worker: { answers } };
}

/** What still differs after a moment. */
async function standingOf({ clock }: Run, found: readonly Finding[]): Promise<readonly Finding[]> {
  if (found.length === 0) return found;
  await clock.sleep(ON_THE_WAY_MS);
  const again = await inSlices(found, async (finding) => ({ ...finding, difference: await finding.recheck() }));
  return again.flatMap(({ difference, ...finding }) => (difference === null ? [] : [{ ...finding, difference }]));
}

async function outcomeOf({ ledger, clock }: Run, finding: Finding, until: number): Promise<Repair> {
  if (finding.event === null) return 'none';
  const { stripeEventId } = finding.event;
  for (;;) {
    const { status } = await ledger.stripeEvent(stripeEventId);
    if (status !== 'waiting') {
      if ((await finding.recheck()) === null) return 'repaired';
      return status === 'parked' ? 'parked' : 'failed';
    }
    if (clock.now() >= until) return 'waiting';
    await clock.sleep(POLL_MS);
  }
}

/** Differences that a run has told and that were not taken in by then. */
export type Unsettled = {
  list(after: string): Promise<readonly { readonly number: string; readonly toldAs: string }[]>;
  recordRepair(number: string, repair: Repair): Promise<void>;
};

/**
 * Looks once more, at the end of a run, at what was reported and not taken in by then: an event may have waited for an older one, or
 * for the lines of its invoice.
 */
export async function settleRest({ list, recordRepair }: Unsettled, ledger: Ledger, clock: Clock): Promise<void> {
  const until = clock.now() + ON_THE_WAY_MS;
  for (let after = ''; ;) {
    const page = await list(after);
    const last = page.at(-1);
    if (last === undefined) return;
    for (const { number, toldAs } of page) {
      let { status } = await ledger.stripeEvent(toldAs);
      for (; status !== 'translated' && clock.now() < until; { status } = await ledger.stripeEvent(toldAs))
        await clock.sleep(POLL_MS);
      await recordRepair(number, status === 'translated' ? 'repaired' : status === 'parked' ? 'parked' : 'waiting');
    }
    after = last.number;
  }
}
