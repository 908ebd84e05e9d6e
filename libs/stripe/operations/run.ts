import type { Clock } from '#kernel/clock.js';
import type { StripeIntent, StripeIntentCommand, StripeIntentState } from '#ledger/stripe/intent.js';
import type { StripeAnswer, StripeClient } from './client.js';
import type { Look, Making } from './operation.js';

/** Something to be asked of Stripe. */
export type Errand<T> = {
  readonly intent: StripeIntent;
  readonly making: Making<T>;
  /** The caller has seen that it must be done, also when it was done before. */
  readonly anew?: boolean;
};

/** Where intents are kept. Both throw when the log cannot be asked or told. */
export type IntentLog = {
  load(intentId: string): Promise<StripeIntentState>;
  record(intentId: string, command: StripeIntentCommand): Promise<void>;
};

export type Way = { readonly client: StripeClient; readonly log: IntentLog; readonly clock: Clock };

/** Stripe forgets a key after a day; from then on the same key would make a second object. */
const KEY_LIVES_MS = 23 * 3_600_000;

/**
 * Runs an errand so that it is neither lost nor done twice: the intent is recorded, then Stripe is asked under the key that the
 * intent holds, then its answer is recorded. Whoever comes back after a crash in between asks under the same key, or looks first
 * whether the object is there, when the key is too old to be remembered. The same errand again gives the same object.
 */
export async function runErrand<T extends { readonly id: string }>(
  { intent, making, anew = false }: Errand<T>,
  way: Way,
): Promise<StripeAnswer<T>> {
  const { client, log, clock } = way;
  const { intentId } = intent;
  await log.record(intentId, { type: 'IntendStripeCall', ...intent });
  let state = await log.load(intentId);
  if (state.objectId !== null && !anew) return making.retrieve(client, state.objectId);
  if (state.status === 'pending' && isOld(state, clock)) {
    const found = await making.find(client, state.intendedAt ?? '');
    if (found.kind !== 'answered') return found;
    if (found.value !== null) return answered(making, intentId, state.attempt, found.value, log);
  }
  if (state.status !== 'pending' || isOld(state, clock)) {
    await log.record(intentId, { type: 'AttemptStripeCallAgain', after: state.attempt });
    state = await log.load(intentId);
  }
  const { attempt, idempotencyKey } = state;
  const answer = await making.create(client, idempotencyKey);
  if (answer.kind === 'answered') return answered(making, intentId, attempt, answer.value, log);
  if (answer.kind === 'refused') {
    const { status, code } = answer;
    await log.record(intentId, { type: 'RecordStripeRefusal', attempt, status, code });
  }
  return answer;
}

const isOld = ({ intendedAt }: StripeIntentState, clock: Clock): boolean =>
  intendedAt !== null && clock.now() - Date.parse(intendedAt) > KEY_LIVES_MS;

async function answered<T extends { readonly id: string }>(
  { objectType }: Look<T>,
  intentId: string,
  attempt: number,
  value: T,
  log: IntentLog,
): Promise<StripeAnswer<T>> {
  await log.record(intentId, { type: 'RecordStripeAnswer', attempt, objectType, objectId: value.id });
  return { kind: 'answered', value };
}

/**
 * Settles an intent that nobody came back for, by a look at Stripe: what is there is its answer, else it has lapsed and whoever
 * asks again makes a new attempt. Makes nothing: whoever wanted it may want it no more. Answers the id of what was found. Only for
 * intents so old that no call of theirs can be under way.
 */
export async function settleErrand<T extends { readonly id: string }>(
  look: Look<T>,
  { intent, attempt, intendedAt }: StripeIntentState,
  { client, log }: Way,
): Promise<StripeAnswer<string | null>> {
  if (intent === null || intendedAt === null) return { kind: 'answered', value: null };
  const found = await look.find(client, intendedAt);
  // Whoever may not look has not seen that there is nothing.
  if (found.kind === 'unavailable' || (found.kind === 'refused' && found.status !== 404)) return found;
  if (found.kind === 'answered' && found.value !== null) {
    await answered(look, intent.intentId, attempt, found.value, log);
    return { kind: 'answered', value: found.value.id };
  }
  await log.record(intent.intentId, { type: 'RecordStripeLapse', attempt });
  return { kind: 'answered', value: null };
}
