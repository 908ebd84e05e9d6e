import type { Clock } from '#kernel/clock.js';
import type { StripeIntent, StripeIntentCommand, StripeIntentState } from '#ledger/stripe/intent.js';
import type { StripeAnswer, StripeClient } from './client.js';
import type { StripeLookup, StripeOperation } from './operation.js';

/** A call to Stripe, with the intent under which it is recorded. */
export type StripeCall<T> = {
  readonly intent: StripeIntent;
  readonly operation: StripeOperation<T>;
  /** Call Stripe even if the intent was answered before. */
  readonly force?: boolean;
};

/** Where intents are kept. Both throw when the log cannot be read or written. */
export type IntentLog = {
  load(intentId: string): Promise<StripeIntentState>;
  record(intentId: string, command: StripeIntentCommand): Promise<void>;
};

export type OperationContext = { readonly client: StripeClient; readonly log: IntentLog; readonly clock: Clock };

/** Stripe forgets a key after a day; from then on the same key would make a second object. */
const KEY_LIVES_MS = 23 * 3_600_000;

/**
 * Makes a call that is neither lost nor made twice: records the intent, calls Stripe under the idempotency key of the intent, and
 * records the answer. After a crash in between, the next run calls under the same key. When that key is older than Stripe keeps
 * keys, it first looks for the object. The same call again gives the same object.
 */
export async function runStripeCall<T extends { readonly id: string }>(
  { intent, operation, force = false }: StripeCall<T>,
  context: OperationContext,
): Promise<StripeAnswer<T>> {
  const { client, log, clock } = context;
  const { intentId } = intent;
  await log.record(intentId, { type: 'IntendStripeCall', ...intent });
  let state = await log.load(intentId);
  if (state.objectId !== null && !force) return operation.retrieve(client, state.objectId);
  if (state.status === 'pending' && isOld(state, clock)) {
    const found = await operation.find(client, state.intendedAt ?? '');
    if (found.kind !== 'answered') return found;
    if (found.value !== null) return answered(operation, intentId, state.attempt, found.value, log);
  }
  if (state.status !== 'pending' || isOld(state, clock)) {
    await log.record(intentId, { type: 'AttemptStripeCallAgain', after: state.attempt });
    state = await log.load(intentId);
  }
  const { attempt, idempotencyKey } = state;
  const answer = await operation.create(client, idempotencyKey);
  if (answer.kind === 'answered') return answered(operation, intentId, attempt, answer.value, log);
  if (answer.kind === 'refused') {
    const { status, code } = answer;
    await log.record(intentId, { type: 'RecordStripeRefusal', attempt, status, code });
  }
  return answer;
}

const isOld = ({ intendedAt }: StripeIntentState, clock: Clock): boolean =>
  intendedAt !== null && clock.now() - Date.parse(intendedAt) > KEY_LIVES_MS;

async function answered<T extends { readonly id: string }>(
  { objectType }: StripeLookup<T>,
  intentId: string,
  attempt: number,
  value: T,
  log: IntentLog,
): Promise<StripeAnswer<T>> {
  await log.record(intentId, { type: 'RecordStripeAnswer', attempt, objectType, objectId: value.id });
  return { kind: 'answered', value };
}

/**
 * Settles an intent that was left pending. If its object is at Stripe, that is its answer; else the intent lapses, and a later
 * request makes a new attempt. Creates nothing, because the caller may not want it any more. Answers the id of what was found.
 * Only for intents so old that no call of theirs can be under way.
 */
export async function settleStripeCall<T extends { readonly id: string }>(
  lookup: StripeLookup<T>,
  { intent, attempt, intendedAt }: StripeIntentState,
  { client, log }: OperationContext,
): Promise<StripeAnswer<string | null>> {
  if (intent === null || intendedAt === null) return { kind: 'answered', value: null };
  const found = await lookup.find(client, intendedAt);
  // A lookup that failed does not show that there is nothing.
  if (found.kind === 'unavailable' || (found.kind === 'refused' && found.status !== 404)) return found;
  if (found.kind === 'answered' && found.value !== null) {
    await answered(lookup, intent.intentId, attempt, found.value, log);
    return { kind: 'answered', value: found.value.id };
  }
  await log.record(intent.intentId, { type: 'RecordStripeLapse', attempt });
  return { kind: 'answered', value: null };
}
