import type { Decider } from '#kernel/decider.js';
import type { AccountCommand, AccountRefusal } from '#ledger/account-commands.js';
import type { AccountEvent } from '#ledger/account-events.js';
import type { AccountState } from '#ledger/account-state.js';
import { accountDecider } from '#ledger/account.js';
import type { PricingRefusal } from '#ledger/catalog.js';

type RequestRefusal = PricingRefusal | { readonly rejected: 'currency_unsupported' };
/** What cannot become a command of the ledger. It still goes the way of every command, so that a repeated key is found. */
type RefusedRequest = { readonly type: 'RefuseRequest'; readonly refusal: RequestRefusal };
export type ApiAccountCommand = AccountCommand | RefusedRequest;
export type ApiAccountRefusal = AccountRefusal | RequestRefusal;

/** The account's rules, and the refusal of what the request itself makes impossible. */
export const apiAccountDecider: Decider<ApiAccountCommand, AccountEvent, AccountState, ApiAccountRefusal> = {
  ...accountDecider,
  decide: (state, command, moment) =>
    command.type === 'RefuseRequest' ? command.refusal : accountDecider.decide(state, command, moment),
  needs: (state, command) =>
    command.type === 'RefuseRequest' ? null : (accountDecider.needs?.(state, command) ?? null),
};
