import type { ProblemCode } from '../../http/problems.js';

const ofScope = ['budget_exceeded', 'scope_invalid'] as const;
const ofHold: readonly ProblemCode[] = ['hold_not_found', 'hold_not_open', 'account_closed'];

/** Why each kind of command may be refused, by single and bulk requests alike. */
export const commandProblems = {
  grant: ['grant_expired', 'invalid_expiry', 'currency_unsupported', 'balance_limit_exceeded', 'account_closed'],
  consume: [
    'insufficient_credits',
    'credit_event_unknown',
    'credit_event_disabled',
    'price_out_of_range',
    ...ofScope,
    'account_frozen',
    'account_closed',
  ],
  reverse: ['consumption_not_found', 'already_reversed', 'amount_exceeds_consumption', 'account_closed'],
  hold: ['insufficient_credits', ...ofScope, 'account_frozen', 'account_closed'],
  raise: [...ofHold, 'insufficient_credits', 'budget_exceeded', 'balance_limit_exceeded', 'account_frozen'],
  capture: [...ofHold, 'amount_exceeds_hold'],
  release: ofHold,
  extend: ofHold,
  revoke: ['grant_not_found', 'amount_exceeds_grant', 'account_closed'],
  adjust: ['insufficient_credits', 'balance_limit_exceeded', 'account_closed'],
} as const satisfies { readonly [kind: string]: readonly ProblemCode[] };
