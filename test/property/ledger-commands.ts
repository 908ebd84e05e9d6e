import fc from 'fast-check';
import { burnOrders, sources } from '#ledger/account-events.js';
import type { AccountCommand } from '#ledger/account-commands.js';
import { balanceOf, type Books } from './model-books.js';

const second = 1000;
const hour = 3_600 * second;
const day = 24 * hour;

/** Waits and life times come from one short list of lengths, so that things fall due at the same instant again and again. */
const lengths = [second, 60 * second, 900 * second, hour, day, 7 * day, 31 * day];
const waits = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.constant(1) },
  { weight: 5, arbitrary: fc.constantFrom(...lengths) },
);
const lifetime = fc.oneof(
  { weight: 3, arbitrary: fc.constant(null) },
  { weight: 6, arbitrary: fc.constantFrom(...lengths) },
  { weight: 1, arbitrary: fc.constantFrom(0, -hour) },
);
const start = fc.oneof(
  { weight: 4, arbitrary: fc.constant(null) },
  { weight: 3, arbitrary: fc.constantFrom(-day, 0, 1, ...lengths.slice(1)) },
);
const small = fc.integer({ min: 1, max: 60 });
/** An amount, or one that lies just around what is there (a difference to the available, held or reversible credits). */
const around = fc.oneof(
  small.map((amount) => ({ amount, near: false })),
  fc.integer({ min: -3, max: 3 }).map((amount) => ({ amount, near: true })),
);
const pick = fc.nat(40);
const cause = fc.constantFrom(
  { kind: 'refund' as const, id: 're_1' },
  { kind: 'refund' as const, id: 're_1' },
  { kind: 'dispute' as const, id: 're_1' },
);

const shapes = {
  GrantCredits: fc.record({
    amount: small,
    source: fc.constantFrom(...sources),
    priority: fc.constantFrom(50, 50, 50, 0, 10, 100),
    start,
    lifetime,
    costBasis: fc.option(fc.record({ amount: fc.integer({ min: 0, max: 1000 }), currency: fc.constant('usd') })),
  }),
  ConsumeCredits: fc.record({ size: around }),
  ReverseConsumption: fc.record({ of: pick, amount: fc.option(small) }),
  HoldCredits: fc.record({ size: around, seconds: fc.constantFrom(1, 60, 900, 3600, 86_400) }),
  ExtendHold: fc.record({ of: pick, seconds: fc.constantFrom(1, 60, 900, 86_400) }),
  CaptureHold: fc.record({ of: pick, amount: fc.option(small), final: fc.boolean() }),
  ReleaseHold: fc.record({ of: pick }),
  AdjustCredits: fc.record({
    amount: fc.oneof(
      small,
      small.map((amount) => -amount),
    ),
  }),
  RevokeCredits: fc.record({ of: pick, amount: small, cause }),
  ReinstateCredits: fc.record({ of: pick, amount: small, cause }),
  RecordDue: fc.constant({}),
  ChangeSettings: fc.record(
    {
      burnOrder: fc.constantFrom(...burnOrders),
      overdraftLimit: fc.constantFrom(0, 20, 50),
      debtPolicy: fc.constantFrom('debt' as const, 'write_off' as const),
      lowBalanceThreshold: fc.constantFrom(null, 5),
    },
    { requiredKeys: [] },
  ),
  Status: fc.constantFrom(
    'FreezeAccount' as const,
    'UnfreezeAccount' as const,
    'UnfreezeAccount' as const,
    'CloseAccount' as const,
  ),
};

const weights: Record<keyof typeof shapes, number> = {
  GrantCredits: 10,
  ConsumeCredits: 8,
  ReverseConsumption: 5,
  HoldCredits: 5,
  ExtendHold: 2,
  CaptureHold: 4,
  ReleaseHold: 2,
  AdjustCredits: 2,
  RevokeCredits: 4,
  ReinstateCredits: 3,
  RecordDue: 2,
  ChangeSettings: 2,
  Status: 1,
};

/** A step before it is known what there is to act on: `resolve` makes the command of it. */
type Drafts = {
  [Type in keyof typeof shapes]: { type: Type; draft: (typeof shapes)[Type] extends fc.Arbitrary<infer T> ? T : never };
};
export type Draft = Drafts[keyof Drafts];
export type Step = { readonly wait: number; readonly draft: Draft };

const draft = fc.oneof(
  ...(Object.keys(shapes) as (keyof typeof shapes)[]).map((type) => ({
    weight: weights[type],
    arbitrary: (shapes[type] as fc.Arbitrary<unknown>).map((value) => ({ type, draft: value }) as Draft),
  })),
);

/** Random lives of an account: `wait` milliseconds, then a command. */
export const steps = (maxLength: number): fc.Arbitrary<Step[]> =>
  fc.array(fc.record({ wait: waits, draft }), { minLength: 1, maxLength, size: 'max' });

const after = (at: string, ms: number | null): string | null =>
  ms === null ? null : new Date(Date.parse(at) + ms).toISOString();

/** One of `count` things, or now and then one that does not exist. */
const nth = (prefix: string, choice: number, count: number): string =>
  `${prefix}#${String(choice === 40 || count === 0 ? 9999 : choice % count)}`;
const sized = (size: { amount: number; near: boolean }, base: number): number =>
  Math.max(1, size.near ? base + size.amount : size.amount);

/** The command, with symbolic ids, that a step means for an account with these books at `at`. */
export function resolve({ type, draft: drafted }: Draft, books: Books, at: string): AccountCommand {
  const told = { description: null, metadata: {} };
  switch (type) {
    case 'GrantCredits': {
      const { start: begin, lifetime: life, ...rest } = drafted;
      return {
        type,
        ...rest,
        effectiveAt: after(at, begin),
        expiresAt: after(at, life),
        paymentReference: null,
        ...told,
      };
    }
    case 'ConsumeCredits':
      return { type, amount: sized(drafted.size, balanceOf(books).available), usage: null, resource: null, ...told };
    case 'ReverseConsumption':
      return {
        type,
        consumptionId: nth('con', drafted.of, books.consumptions.length),
        amount: drafted.amount,
        reason: null,
      };
    case 'HoldCredits':
      return {
        type,
        amount: sized(drafted.size, balanceOf(books).available),
        expiresInSeconds: drafted.seconds,
        ...told,
      };
    case 'ExtendHold':
      return { type, holdId: nth('hold', drafted.of, books.holds.length), expiresInSeconds: drafted.seconds };
    case 'CaptureHold':
      return {
        type,
        holdId: nth('hold', drafted.of, books.holds.length),
        amount: drafted.amount,
        final: drafted.final,
      };
    case 'ReleaseHold':
      return { type, holdId: nth('hold', drafted.of, books.holds.length) };
    case 'AdjustCredits':
      return { type, amount: drafted.amount, reason: 'count' };
    case 'RevokeCredits':
      return {
        type,
        grantId: nth('gr', drafted.of, books.grants.length),
        amount: drafted.amount,
        cause: drafted.cause,
        reason: null,
      };
    case 'ReinstateCredits':
      return {
        type,
        grantId: nth('gr', drafted.of, books.grants.length),
        amount: drafted.amount,
        cause: drafted.cause,
      };
    case 'RecordDue':
      return { type };
    case 'ChangeSettings':
      return { type, ...drafted };
    case 'Status':
      return { type: drafted, reason: 'operator' };
  }
}
