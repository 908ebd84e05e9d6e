import { assert } from '#kernel/assert.js';
import { isRefused, type Decider } from '#kernel/decider.js';
import type { AccountCommand, AccountRefusal, PurchaseRefusal } from '#ledger/account/commands.js';
import type { AccountEvent } from '#ledger/account/events.js';
import type { AccountState } from '#ledger/account/state.js';
import { accountDecider } from '#ledger/account/account.js';
import type { PricingRefusal } from '#ledger/catalog.js';

type RequestRefusal = PricingRefusal | { readonly rejected: 'currency_unsupported' };
/** What cannot become a command of the ledger. It still goes the way of every command, so that a repeated key is found. */
type RefusedRequest = { readonly type: 'RefuseRequest'; readonly refusal: RequestRefusal };
/** Does nothing: what its key was used for before is found on the way. */
type KeyLookup = { readonly type: 'LookUpKey' };
export type ApiAccountCommand = AccountCommand | RefusedRequest | KeyLookup;
export type ApiAccountRefusal = Exclude<AccountRefusal, PurchaseRefusal> | RequestRefusal;

/** The account's rules, and the refusal of what the request itself makes impossible. */
export const apiAccountDecider: Decider<ApiAccountCommand, AccountEvent, AccountState, ApiAccountRefusal> = {
  ...accountDecider,
  decide: (state, command, moment) => {
    if (command.type === 'RefuseRequest') return command.refusal;
    if (command.type === 'LookUpKey') return [];
    const decision = accountDecider.decide(state, command, moment);
    if (!isRefused<AccountEvent, AccountRefusal>(decision)) return decision;
    const { rejected } = decision;
    assert(rejected !== 'sold_already' && rejected !== 'sale_in_doubt', 'callers do not tell of sales at Stripe');
    return decision;
  },
  needs: (state, command) =>
    command.type === 'RefuseRequest' || command.type === 'LookUpKey'
      ? null
      : (accountDecider.needs?.(state, command) ?? null),
};
