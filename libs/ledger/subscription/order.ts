import { assert } from '#kernel/assert.js';
import type { Instant } from '#kernel/instant.js';
import { canonicalJson } from '#kernel/json.js';
import { insertSorted } from '../sorted.js';
import { hasEnded, isUnpaid, subscriptionStatuses, type SubscriptionSnapshot } from './standing.js';

/** A snapshot without when and by what it was seen: what one change of a subscription leaves and the next one finds. */
type Terms = Omit<SubscriptionSnapshot, 'seenAt' | 'stage'>;

/** The change that a snapshot came of: those of its terms that were different before, and the call at Stripe that made it. */
export type SubscriptionStep = { readonly before: Partial<Terms>; readonly request: string | null };

/** What is remembered of each snapshot: enough to tell which is later and since when a payment is missing. */
export type Observation = {
  /** Sorts by age as far as a snapshot alone tells it, an end after everything; equal only for what was reported twice. */
  readonly key: string;
  readonly snapshot: SubscriptionSnapshot;
  readonly step: SubscriptionStep | null;
  /** The terms that were reached, and, where the step is known, those that were left; as text, to compare them. */
  readonly reached: string;
  readonly left: string | null;
};

/** Of what is older than the last so many, nothing is compared any more: more than this in one second are ordered by their keys. */
const MAX_OBSERVATIONS = 200;

const byKey = (a: Observation, b: Observation): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

/** The step from one snapshot to the next; it names nothing where it changed nothing that is kept here. */
export function stepBetween(
  before: SubscriptionSnapshot,
  after: SubscriptionSnapshot,
  request: string | null,
): SubscriptionStep {
  const { seenAt: _seenAt, stage: _stage, ...terms } = before;
  const changed = Object.entries(terms).filter(([name, value]) => after[name as keyof Terms] !== value);
  return { before: Object.fromEntries(changed) as Partial<Terms>, request };
}

export function observationOf(snapshot: SubscriptionSnapshot, step: SubscriptionStep | null): Observation {
  const { seenAt, stage, ...terms } = snapshot;
  const key = [
    hasEnded(snapshot.status) ? 1 : 0,
    seenAt,
    stage,
    subscriptionStatuses.indexOf(snapshot.status),
    snapshot.periodEnd ?? '',
    canonicalJson(snapshot),
    canonicalJson(step),
  ].join(' ');
  const left = step === null ? null : canonicalJson({ ...terms, ...step.before });
  return { key, snapshot, step, reached: canonicalJson(terms), left };
}

/** The observations with one more, sorted; the same list when it is known. The oldest are forgotten beyond a bound. */
export function withObservation(list: readonly Observation[], added: Observation): readonly Observation[] {
  if (list.some(({ key }) => key === added.key)) return list;
  return insertSorted(list, added, byKey).slice(-MAX_OBSERVATIONS);
}

/** What was seen of one second, and which of it came last. Ends stand apart, after all others of their second. */
type Second = { readonly facts: readonly Observation[]; readonly last: Observation };

/** The newest snapshot of a list that is not empty, and since when it has been unpaid: null when it is not. */
export function newestOf(list: readonly Observation[]): {
  readonly snapshot: SubscriptionSnapshot;
  readonly unpaidSince: Instant | null;
} {
  const seconds = secondsOf(list).toReversed();
  const [newest] = seconds;
  assert(newest !== undefined, 'nothing was seen of a subscription that is to have a newest snapshot');
  let unpaidSince: Instant | null = null;
  for (const { facts, last } of seconds) {
    if (!isUnpaid(last.snapshot.status)) break;
    unpaidSince = last.snapshot.seenAt;
    if (!facts.every(({ snapshot }) => isUnpaid(snapshot.status))) break;
  }
  return { snapshot: newest.last.snapshot, unpaidSince };
}

function secondsOf(list: readonly Observation[]): readonly Second[] {
  const groups: [Observation, ...Observation[]][] = [];
  for (const fact of list) {
    const group = groups.at(-1);
    if (group !== undefined && isOfSameSecond(group[0], fact)) group.push(fact);
    else groups.push([fact]);
  }
  const seconds: Second[] = [];
  for (const facts of groups) seconds.push({ facts, last: lastOf(facts, seconds.at(-1)?.last) });
  return seconds;
}

const isOfSameSecond = ({ snapshot: a }: Observation, { snapshot: b }: Observation): boolean =>
  a.seenAt === b.seenAt && hasEnded(a.status) === hasEnded(b.status);

/**
 * The fact of one second that comes after all others of it. Stripe reports whole seconds, but of a change also what was before. So of
 * the terms that the changes of a second name, those that were left as often as they were reached are over, whatever order the
 * changes were reported in; those of `before`, the last of an earlier second, or of the creation were reached once already. Where that
 * leaves several (a change was not told, or is not reported whole), or none (a circle without a known beginning), the one with the
 * last key counts.
 */
function lastOf(facts: readonly [Observation, ...Observation[]], before: Observation | undefined): Observation {
  const begun = facts.findLast(({ snapshot }) => snapshot.stage === 0) ?? before;
  const open = new Map<string, number>();
  const count = (terms: string, by: number): void => {
    open.set(terms, (open.get(terms) ?? 0) + by);
  };
  if (begun !== undefined) count(begun.reached, 1);
  const steps = stepsOf(facts);
  for (const { reached, left } of steps) {
    count(reached, 1);
    count(left, -1);
  }
  const unsettled = steps.filter(({ left }) => (open.get(left) ?? 0) < 0);
  const isOpen = ({ reached }: Observation): boolean => (open.get(reached) ?? 0) > 0;
  for (const fact of unsettled) {
    if (new Set(facts.filter(isOpen).map(({ reached }) => reached)).size < 2) break;
    const from = [begun, ...facts].find((other) => other !== undefined && isOpen(other) && follows(fact, other));
    if (from !== undefined) count(from.reached, -1);
  }
  // A snapshot whose terms no change names is about something else, and nothing says that it is over.
  return facts.findLast((fact) => isOpen(fact) || !open.has(fact.reached)) ?? facts.at(-1) ?? facts[0];
}

type Step = Observation & { readonly left: string };

/** The changes among facts, each once: a pause is reported as a change and as a pause. */
function stepsOf(facts: readonly Observation[]): readonly Step[] {
  const steps = facts.filter((fact): fact is Step => fact.left !== null);
  const named = steps.map((fact) => [`${String(fact.step?.request)} ${fact.left} ${fact.reached}`, fact] as const);
  return [...new Map(named).values()];
}

/** Whether a change may have been made to what another left, by all that it says itself of what was before. */
function follows({ step, reached }: Observation, other: Observation): boolean {
  const named = Object.entries(step?.before ?? {}) as [keyof Terms, unknown][];
  return (
    named.length > 0 && other.reached !== reached && named.every(([name, value]) => other.snapshot[name] === value)
  );
}
