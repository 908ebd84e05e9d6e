import type { AccountCommand } from '#ledger/account/commands.js';

type Command<Type extends AccountCommand['type']> = Extract<AccountCommand, { readonly type: Type }>;

/** A purchase without money, usable at once and for ever, as far as `more` does not say otherwise. */
export const grant = (amount: number, more: Partial<Command<'GrantCredits'>> = {}): Command<'GrantCredits'> => ({
  type: 'GrantCredits',
  amount,
  source: 'purchase',
  priority: 50,
  effectiveAt: null,
  expiresAt: null,
  costBasis: null,
  paymentReference: null,
  description: null,
  metadata: {},
  ...more,
});

export const consume = (amount: number, more: Partial<Command<'ConsumeCredits'>> = {}): Command<'ConsumeCredits'> => ({
  type: 'ConsumeCredits',
  amount,
  usage: null,
  resource: null,
  description: null,
  metadata: {},
  ...more,
});

/** @param expiresInSeconds how long it stays open. */
export const hold = (amount: number, expiresInSeconds = 900): Command<'HoldCredits'> => ({
  type: 'HoldCredits',
  amount,
  resource: null,
  expiresInSeconds,
  description: null,
  metadata: {},
});
