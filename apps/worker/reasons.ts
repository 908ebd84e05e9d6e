import { AssertionFailed } from '#kernel/assert.js';
import type { AccountRefusal } from '#ledger/account/commands.js';
import type { ParkReason } from '#ledger/stripe/event.js';
import { CommandTooLarge } from './outcomes.js';

/** What a person has to do about money whose credits the account does not take; what only callers are refused is a fault here. */
const sentences: { readonly [code in AccountRefusal['rejected']]?: string } = {
  account_closed: 'the account is closed and takes no credits; give the money back at Stripe, and set the event aside',
  balance_limit_exceeded:
    'the account would hold more than 2^53-1 credits; give the money back at Stripe, or let some be used and try again',
  grant_expired: 'the credits would have expired already; give the money back at Stripe, or grant by hand',
  invalid_expiry: 'the credits would expire before they begin; compare the times at Stripe, then grant by hand',
};

/** Why an event waits whose fact an account does not take. `stream` is the account's. */
export const refusedBy = (stream: string, code: AccountRefusal['rejected']): ParkReason => ({
  code: 'account_refused',
  subject: stream,
  detail: `${code}: ${sentences[code] ?? 'the account does not take it; try again, and report it if it stays so'}`,
});

/** Why an event waits that could not be worked off; null where it is to be tried again. */
export function reasonOfFailure(error: unknown): ParkReason | null {
  if (error instanceof CommandTooLarge) {
    const detail =
      'what it changes is more than the log takes in one append; adjust the balance by hand, and set the event aside';
    return { code: 'too_large', subject: null, detail };
  }
  if (!(error instanceof AssertionFailed || error instanceof TypeError || error instanceof RangeError)) return null;
  const detail = `Scrip failed to work it off (${error.name}: ${error.message}); report this, and try it again once that is mended`;
  return { code: 'internal_error', subject: null, detail };
}
