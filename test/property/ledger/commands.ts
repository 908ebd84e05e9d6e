import fc from 'fast-check';
import { burnOrders, sources } from '#ledger/account/events.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { Claim } from '#ledger/payment/claims.js';
import { balanceOf, type Books } from '../model/books.js';

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

/** Three refunds and a dispute that may be claimed of a payment of a hundred, at one of few times. */
const claims = fc.uniqueArray(
  fc.record({
    id: fc.constantFrom('re_1', 're_2', 're_3', 'du_1'),
    state: fc.constantFrom('taken' as const, 'taken' as const, 'reserved' as const),
    amount: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(100)),
    daysAgo: fc.constantFrom(0, 1, 7, 31),
  }),
  { selector: ({ id }) => id, maxLength: 4 },
);

const partial = fc.constantFrom(false, false, true);
const resource = fc.constantFrom(null, null, { type: 'job', id: 'job_1' });

const shapes = {
  GrantCredits: fc.record({
    amount: small,
    paymentReference: fc.constantFrom(null, 'in_1', 'in_2'),
    source: fc.constantFrom(...sources),
    priority: fc.constantFrom(50, 50, 50, 0, 10, 100),
    start,
    lifetime,
    costBasis: fc.option(fc.record({ amount: fc.integer({ min: 0, max: 1000 }), currency: fc.constant('usd') })),
  }),
  ConsumeCredits: fc.record({ size: around, partial, resource }),
  ReverseConsumption: fc.record({ of: pick, amount: fc.option(small) }),
  HoldCredits: fc.record({ size: around, partial, resource, seconds: fc.constantFrom(1, 900, 86_400, 604_800) }),
  ExtendHold: fc.record({ of: pick, seconds: fc.constantFrom(1, 60, 900, 86_400) }),
  RaiseHold: fc.record({ of: pick, amount: fc.constantFrom(1, 2, 3, 1000) }),
  CaptureHold: fc.record({ of: pick, amount: fc.option(small), final: fc.boolean() }),
  ReleaseHold: fc.record({ of: pick }),
  AdjustCredits: fc.record({
    amount: fc.oneof(
      small,
      small.map((amount) => -amount),
    ),
  }),
  RevokeGrant: fc.record({ of: pick, amount: fc.option(small) }),
  SettlePayment: fc.record({ of: fc.constantFrom('in_1', 'in_2'), older: fc.nat(9), claims }),
  TransferCredits: fc.record({
    size: around,
    receiver: fc.constantFrom(...(['ready', 'ready', 'ready', 'ready', 'unknown', 'closed'] as const)),
  }),
  ReceiveTransfer: fc.record({
    lots: fc.array(
      fc.record({
        amount: small,
        source: fc.constantFrom(...sources),
        priority: fc.constantFrom(50, 50, 0, 100),
        start: fc.constantFrom(-day, -1, 0),
        lifetime,
        cost: fc.option(fc.record({ amount: fc.integer({ min: 0, max: 1000 }), currency: fc.constant('usd') })),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    erased: fc.constantFrom(false, false, false, true),
    /** The accounts of a test have transfers of their own. */
    id: fc.nat(),
  }),
  ReturnTransfer: fc.record({ of: pick }),
  FollowClaims: fc.record({ of: pick, older: fc.nat(9), claims }),
  RequestBilling: fc.constant({}),
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
  RaiseHold: 5,
  CaptureHold: 4,
  ReleaseHold: 2,
  AdjustCredits: 2,
  RevokeGrant: 4,
  SettlePayment: 0,
  TransferCredits: 4,
  ReceiveTransfer: 2,
  ReturnTransfer: 3,
  FollowClaims: 0,
  RequestBilling: 1,
  RecordDue: 2,
  ChangeSettings: 2,
  Status: 1,
};

/** A step before it is known what there is to act on: `resolve` makes the command of it. */
type Drafts = {
  [Type in keyof typeof shapes]: { type: Type; draft: (typeof shapes)[Type] extends fc.Arbitrary<infer T> ? T : never };
};
export type Draft = Drafts[keyof Drafts];
/** A command that is worked out when its turn comes. */
export type Later = (books: Books, at: string) => AccountCommand;
export type Step = { readonly wait: number; readonly draft: Draft | Later };

const draftsBy = (weight: Record<keyof typeof shapes, number>): fc.Arbitrary<Draft> =>
  fc.oneof(
    ...(Object.keys(shapes) as (keyof typeof shapes)[]).map((type) => ({
      weight: weight[type],
      arbitrary: (shapes[type] as fc.Arbitrary<unknown>).map((value) => ({ type, draft: value }) as Draft),
    })),
  );
const drafts = draftsBy(weights);
const draftsWithClaims = draftsBy({ ...weights, SettlePayment: 10, FollowClaims: 4 });

/** What a customer does with credits: beside it, what subscriptions give and take has to stay right. */
export const spending = draftsBy({
  GrantCredits: 2,
  ConsumeCredits: 2,
  ReverseConsumption: 4,
  HoldCredits: 4,
  ExtendHold: 1,
  RaiseHold: 1,
  CaptureHold: 3,
  ReleaseHold: 3,
  AdjustCredits: 1,
  RevokeGrant: 0,
  SettlePayment: 0,
  TransferCredits: 1,
  ReceiveTransfer: 1,
  ReturnTransfer: 1,
  FollowClaims: 0,
  RequestBilling: 0,
  RecordDue: 0,
  ChangeSettings: 1,
  Status: 0,
});

const lives = (draft: fc.Arbitrary<Draft>, maxLength: number): fc.Arbitrary<Step[]> =>
  fc.array(fc.record({ wait: waits, draft }), { minLength: 1, maxLength, size: 'max' });

/** Random lives of an account: `wait` milliseconds, then a command. */
export const steps = (maxLength: number): fc.Arbitrary<Step[]> => lives(drafts, maxLength);
/** The same with refunds and disputes of payments. */
export const stepsWithClaims = (maxLength: number): fc.Arbitrary<Step[]> => lives(draftsWithClaims, maxLength);

type DraftedClaim = {
  readonly id: string;
  readonly state: Claim['state'];
  readonly amount: number;
  readonly daysAgo: number;
};

/** In the order of their times, as a payment reports them. */
const claimsOf = (drafted: readonly DraftedClaim[], at: string): readonly Claim[] =>
  drafted
    .map(({ id, state, amount, daysAgo }): Claim => {
      const kind = id.startsWith('du') ? 'dispute' : 'refund';
      return { cause: { kind, id }, state, amount, since: after(at, -daysAgo * day) as Claim['since'] };
    })
    .sort((a, b) => (`${a.since} ${a.cause.id}` < `${b.since} ${b.cause.id}` ? -1 : 1));

const after = (at: string, ms: number | null): string | null =>
  ms === null ? null : new Date(Date.parse(at) + ms).toISOString();

/** One of `count` things, every other time the newest, for the others are often over; now and then one that does not exist. */
const nth = (prefix: string, choice: number, count: number): string => {
  if (choice === 40 || count === 0) return `${prefix}#9999`;
  return `${prefix}#${String(choice % 2 === 0 ? count - 1 : choice % count)}`;
};
const sized = (size: { amount: number; near: boolean }, base: number): number =>
  Math.max(1, size.near ? base + size.amount : size.amount);

/** The command, with symbolic ids, that a step means for an account with these books at `at`. */
export function resolve(step: Draft | Later, books: Books, at: string): AccountCommand {
  if (typeof step === 'function') return step(books, at);
  const { type, draft: drafted } = step;
  const annotations = { description: null, metadata: {} };
  switch (type) {
    case 'GrantCredits': {
      const { start: begin, lifetime: life, ...rest } = drafted;
      const effectiveAt = after(at, begin);
      // No two grants of one payment begin at one time: the rules do not tell such apart.
      const alike = books.grants.some(
        (grant) => grant.paymentReference === rest.paymentReference && grant.effectiveAt === (effectiveAt ?? at),
      );
      const paymentReference = alike ? null : rest.paymentReference;
      return { type, ...rest, effectiveAt, expiresAt: after(at, life), paymentReference, ...annotations };
    }
    case 'ConsumeCredits':
      return {
        type,
        amount: sized(drafted.size, balanceOf(books).available),
        ...(drafted.partial ? { partial: true } : {}),
        usage: null,
        resource: drafted.resource,
        ...annotations,
      };
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
        ...(drafted.partial ? { partial: true } : {}),
        resource: drafted.resource,
        expiresInSeconds: drafted.seconds,
        ...annotations,
      };
    case 'ExtendHold':
      return { type, holdId: nth('hold', drafted.of, books.holds.length), expiresInSeconds: drafted.seconds };
    case 'RaiseHold':
      return { type, holdId: nth('hold', drafted.of, books.holds.length), amount: drafted.amount };
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
    case 'RevokeGrant':
      return { type, grantId: nth('gr', drafted.of, books.grants.length), amount: drafted.amount, reason: 'operator' };
    case 'SettlePayment': {
      const known = books.payments[drafted.of]?.version ?? 0;
      return {
        type,
        paymentReference: drafted.of,
        // Now and then an older version, which changes nothing.
        version: drafted.older === 0 ? known : known + 1,
        paid: 100,
        claims: claimsOf(drafted.claims, at),
      };
    }
    case 'TransferCredits': {
      const amount = sized(drafted.size, balanceOf(books).available);
      return { type, toCustomerId: 'globex', amount, reason: null, receiver: drafted.receiver };
    }
    case 'ReceiveTransfer': {
      const { lots, erased, id } = drafted;
      const transferId = `received-${String(id)}-${String(books.grants.length)}`;
      return {
        type,
        transferId,
        fromCustomerId: 'globex',
        reason: null,
        lots: lots.map(({ start: begin, lifetime: life, ...lot }, index) => ({
          grantId: `lot-${String(index)}`,
          ...lot,
          effectiveAt: after(at, begin) ?? at,
          expiresAt: after(at, life),
          paymentReference: 'in_of_globex',
        })),
        erased,
      };
    }
    case 'ReturnTransfer':
      return { type, transferId: nth('tr', drafted.of, books.transfers.length), because: 'account_closed' };
    case 'FollowClaims': {
      const lots = books.grants.flatMap(({ lot }) => lot ?? []);
      const lot = lots[drafted.of % Math.max(1, lots.length)] ?? 'received-9999 lot-0';
      const [transferId = '', grantId = ''] = lot.split(' ');
      const known = books.payments[lot]?.version ?? 0;
      const version = drafted.older === 0 ? known : known + 1;
      return { type, transferId, grantId, version, claims: claimsOf(drafted.claims, at) };
    }
    case 'RequestBilling':
      return { type, operation: 'create_checkout_session' };
    case 'RecordDue':
      return { type };
    case 'ChangeSettings':
      return { type, ...drafted };
    case 'Status':
      return { type: drafted, reason: 'operator' };
  }
}

/** All that is claimed of the payment in_1 (`which` 0) or in_2, as it is reported at a time under a version. */
export const claimsOfPayments: fc.Arbitrary<(which: number, version: number, at: string) => AccountCommand> = fc
  .tuple(claims, claims)
  .map((both) => (which, version, at) => ({
    type: 'SettlePayment',
    paymentReference: `in_${String(which + 1)}`,
    version,
    paid: 100,
    claims: claimsOf(both[which] ?? [], at),
  }));
