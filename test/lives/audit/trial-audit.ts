import type { Books } from '../books/books.js';
import { secondsOf, textOf } from '../books/calendar.js';
import { shown } from './grant-audit.js';
import type { AccountEventSeen, GrantSeen, LedgerView } from './ledger-view.js';

/**
 * Trials give their credits once, and what is unspent of them ends when the trial does: as its end is moved, it is granted again, and no
 * more than was taken.
 */
export function trialFaults({ trials }: Books, { grants, events, asOf }: LedgerView): readonly string[] {
  const seen = Map.groupBy(
    grants.filter(({ source }) => source === 'trial'),
    ({ term }) => term?.subscriptionId ?? '',
  );
  const unknown = [...seen].filter(([id]) => !trials.some(({ subscription }) => subscription === id));
  return [
    ...unknown.flatMap(([, all]) => all.map((grant) => `a trial without a reason: ${shown(grant)}`)),
    ...trials.flatMap(({ subscription, amount, endsAt, optional }) => {
      const own = seen.get(subscription) ?? [];
      const given = own.reduce((sum, grant) => sum + grant.amount - movedOf(grant.id, events), 0);
      const runs = endsAt > secondsOf(asOf);
      const isGiven = own.some((grant) => grant.amount === amount) && given <= amount && (!runs || given === amount);
      const endsOnTime = own.every(({ free, expiresAt }) => free === 0 || secondsOf(expiresAt ?? '') === endsAt);
      if (isGiven && endsOnTime) return [];
      if (optional && given <= amount) return [];
      const what = `the trial of ${subscription}: ${String(amount)} until ${textOf(endsAt)}`;
      return [`${what} was given as ${own.map(shownWithPlaces).join('; ')}`];
    }),
  ];
}

const shownWithPlaces = (grant: GrantSeen): string =>
  `${shown(grant)} (free ${String(grant.free)}, revoked ${String(grant.revoked)})`;

/** What of a grant was taken because its trial ends at another time. */
const movedOf = (grantId: string, events: readonly AccountEventSeen[]): number =>
  events.reduce((sum, { type, cause, allocations = [], grantId: of, amount = 0 }) => {
    if (cause?.kind !== 'trial') return sum;
    if (type === 'CreditsReinstated') return of === grantId ? sum - amount : sum;
    return allocations.reduce((all, slice) => (slice.grantId === grantId ? all + slice.amount : all), sum);
  }, 0);
