import type { Instant } from '#kernel/instant.js';

/** What says whose a Stripe customer is: itself, a session of Checkout, or something that was made under it. The first counts most. */
export const statementSources = ['customer', 'session', 'object'] as const;
export type StatementSource = (typeof statementSources)[number];

/** One statement about whose a Stripe customer is. */
export type OwnerStatement = {
  readonly customerId: string;
  readonly source: StatementSource;
  /** Stripe's own time of it. */
  readonly at: Instant;
  /** Whom the Stripe customer named before, null for nobody, the same for no change; left out where that is not said. */
  readonly before?: string | null;
  /** The Stripe event that says it; null for a Stripe customer that was made from here. */
  readonly stripeEventId: string | null;
};

/** From when on somebody is the owner, by Stripe's time; the first from the beginning, which is the empty text. */
export type OwnerSince = { readonly since: Instant; readonly customerId: string };

/** A statement that names somebody who is not the owner and, by what the Stripe customer itself says, never was. */
export type Overruled = { readonly stripeEventId: string; readonly customerId: string };

/** What all statements together mean; whatever order they came in. */
export type Ownership = {
  /** In order of time, the last is the owner; empty where nobody is named. */
  readonly owners: readonly OwnerSince[];
  /** For each name that lost, the first of its best statements. */
  readonly overruled: readonly Overruled[];
};

const byTime = (a: OwnerStatement, b: OwnerStatement): number =>
  compareTexts(a.at, b.at) ||
  compareTexts(a.customerId, b.customerId) ||
  compareTexts(a.stripeEventId ?? '~', b.stripeEventId ?? '~');
const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Statements of the Stripe customer itself in the order in which they were made. Of one second, one that says what was before
 * follows on that.
 */
function inOrder(statements: readonly OwnerStatement[]): readonly OwnerStatement[] {
  const left = [...statements].sort(byTime);
  const ordered: OwnerStatement[] = [];
  while (left[0] !== undefined) {
    const { at } = left[0];
    const together = left.filter((each) => each.at === at);
    const name = ordered.at(-1)?.customerId ?? null;
    const next =
      together.find(({ before }) => before !== undefined && before === name) ??
      together.find(({ before }) => !together.some(({ customerId }) => customerId === before)) ??
      left[0];
    ordered.push(next);
    left.splice(left.indexOf(next), 1);
  }
  return ordered;
}

/** So many statements of each source are kept: who corrects a Stripe customer over and over is followed all the same. */
export const MAX_STATEMENTS = 50;

/**
 * The statements without those that are too many: of the Stripe customer itself the oldest, of others the newest, as they count least.
 * The same whatever order they came in.
 */
export function kept(statements: readonly OwnerStatement[]): readonly OwnerStatement[] {
  if (statements.length <= MAX_STATEMENTS) return statements;
  const left = new Set(
    statementSources.flatMap((source) => {
      const ordered = statements.filter((each) => each.source === source).sort(byTime);
      return source === 'customer' ? ordered.slice(-MAX_STATEMENTS) : ordered.slice(0, MAX_STATEMENTS);
    }),
  );
  return statements.filter((each) => left.has(each));
}

/** The statements that decide: what the Stripe customer names counts by its newest, what others name by the first. */
function turnsOf(statements: readonly OwnerStatement[]): readonly OwnerStatement[] {
  for (const source of statementSources) {
    const list = statements.filter((each) => each.source === source);
    if (list.length === 0) continue;
    const ordered = source === 'customer' ? inOrder(list) : [...list].sort(byTime).slice(0, 1);
    return ordered.filter(({ customerId }, index) => customerId !== ordered[index - 1]?.customerId);
  }
  return [];
}

/** The first of a name's best statements, by which it is known. */
function representativesOf(statements: readonly OwnerStatement[]): readonly OwnerStatement[] {
  const best = new Map<string, OwnerStatement>();
  const rank = ({ source }: OwnerStatement): number => statementSources.indexOf(source);
  for (const each of [...statements].sort((a, b) => rank(a) - rank(b) || byTime(a, b)))
    if (each.stripeEventId !== null && !best.has(each.customerId)) best.set(each.customerId, each);
  return [...best.values()];
}

/**
 * The owner, and the former ones that were corrected at Stripe: none of them is in conflict. A correction is later, or says whom it
 * replaces; of two statements of one second that say nothing of each other a person decides.
 */
function settledIn(turns: readonly OwnerStatement[]): ReadonlySet<string | null | undefined> {
  const last = turns.at(-1);
  const replaced = turns.filter(
    ({ at, customerId }, index) => at !== last?.at || turns[index + 1]?.before === customerId,
  );
  return new Set([turns[0]?.before, last?.customerId, ...replaced.map(({ customerId }) => customerId)]);
}

/** Whose a Stripe customer is and was by all that is known, and which statements are overruled. Pure, and blind to their order. */
export function ownershipOf(statements: readonly OwnerStatement[]): Ownership {
  const turns = turnsOf(statements);
  const before = turns[0]?.before;
  const named = turns.map(({ at: since, customerId }) => ({ since, customerId }));
  const first = named[0];
  const owners =
    first === undefined
      ? []
      : typeof before === 'string' && before !== first.customerId
        ? [{ since: '', customerId: before }, ...named]
        : [{ ...first, since: '' }, ...named.slice(1)];
  const settled = settledIn(turns);
  const overruled = representativesOf(statements)
    .filter(({ customerId }) => !settled.has(customerId))
    .map(({ stripeEventId, customerId }) => ({ stripeEventId: stripeEventId ?? '', customerId }));
  return { owners, overruled };
}

/** The owner at an instant of Stripe's time; null where nobody is. */
export const ownerAt = (owners: readonly OwnerSince[], at: Instant): string | null =>
  owners.findLast(({ since }) => since <= at)?.customerId ?? null;

/** When each name was first heard of, by Stripe's time: what is first among several Stripe customers of one customer. */
export function namesIn(statements: readonly OwnerStatement[]): ReadonlyMap<string, Instant> {
  const names = new Map<string, Instant>();
  for (const { customerId, at } of [...statements].sort(byTime)) if (!names.has(customerId)) names.set(customerId, at);
  return names;
}

/** All of the statements that anything depends on: a further one that leaves this as it is need not be kept. */
export const meaningOf = (statements: readonly OwnerStatement[]): string =>
  JSON.stringify([
    ownershipOf(statements),
    turnsOf(statements),
    statementSources.map((source) =>
      representativesOf(statements.filter((each) => each.source === source))
        .map(({ customerId, at, stripeEventId }) => [customerId, at, stripeEventId])
        .sort(),
    ),
    [...namesIn(statements)],
  ]);
