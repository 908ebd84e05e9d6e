import type { Decider } from '#kernel/decider.js';
import type { AccountCommand, AccountRefusal } from '#ledger/account-commands.js';
import type { AccountEvent } from '#ledger/account-events.js';
import type { AccountState } from '#ledger/account-state.js';
import { accountDecider } from '#ledger/account.js';
import type { PricingRefusal } from '#ledger/catalog.js';

/** A usage that the catalogue gives no price for. It still goes the way of every command, so that a repeated key is found. */
type UnpricedUsage = { readonly type: 'RefuseUsage'; readonly refusal: PricingRefusal };
export type ApiAccountCommand = AccountCommand | UnpricedUsage;
export type ApiAccountRefusal = AccountRefusal | PricingRefusal;

/** The account's rules, and the refusal of usages without a price. */
export const apiAccountDecider: Decider<ApiAccountCommand, AccountEvent, AccountState, ApiAccountRefusal> = {
  ...accountDecider,
  decide: (state, command, moment) =>
    command.type === 'RefuseUsage' ? command.refusal : accountDecider.decide(state, command, moment),
  needs: (state, command) => (command.type === 'RefuseUsage' ? null : (accountDecider.needs?.(state, command) ?? null)),
};
