import { MAX_AMOUNT } from '#kernel/amount.js';
import { earlier, plusMs, type Instant } from '#kernel/instant.js';
import { settleSubscription } from '../claims/settling.js';
import type { AccountCommand, AccountRefusal } from '../commands.js';
import { type Recording, openAccount } from '../recording.js';
import { letTimePass } from '../time.js';
import { REMEMBERED_MS } from '../../subscription/paid-month.js';

type Command<Type extends AccountCommand['type']> = Extract<AccountCommand, { type: Type }>;

/** When a trial ends of which `end` was known, by what its subscription shows now: a later trial leaves the first one over. */
export const trialEndBy = (
  known: { readonly start: Instant; readonly end: Instant },
  shown: { readonly start: Instant; readonly end: Instant },
): Instant => (shown.start > known.start ? earlier(known.end, shown.start) : shown.end);

/** A trial's credits, once in the life of a subscription. One that is over by now is only noted: its end may turn out to be later. */
export function agreeTrial(recording: Recording, command: Command<'AgreeTrial'>): AccountRefusal | null {
  const { subscriptionId, itemId, amount, start, end, version, metadata } = command;
  if ((recording.state.terms.get(subscriptionId)?.trial ?? null) !== null) return null;
  if (end < plusMs(recording.at, -REMEMBERED_MS)) return null;
  if (amount > MAX_AMOUNT - recording.state.granted) return { rejected: 'balance_limit_exceeded' };
  openAccount(recording);
  recording.record({ type: 'TrialChanged', subscriptionId, itemId, amount, start, end, version, metadata });
  settleSubscription(recording, subscriptionId);
  letTimePass(recording);
  return null;
}

/** The trial ends at another time: what is unspent of its credits ends then. */
export function moveTrial(recording: Recording, command: Command<'MoveTrial'>): AccountRefusal | null {
  const { subscriptionId, version } = command;
  const known = recording.state.terms.get(subscriptionId)?.trial ?? null;
  if (known === null || known.version >= version) return null;
  const end = trialEndBy(known, command);
  if (end === known.end) return null;
  recording.record({ type: 'TrialChanged', subscriptionId, ...known, end, version });
  settleSubscription(recording, subscriptionId);
  letTimePass(recording);
  return null;
}
