import type { Instant } from '#kernel/instant.js';
import type { AgreedSeats, ChangedPart, PlanChange, Term } from '../events.js';
import { Agreements } from './agreements.js';

/** What is bought, or changed, at one time of the periods that end at one time. */
type Step = { readonly end: Instant; readonly since: Instant } & (
  { readonly bought: AgreedSeats } | { readonly changeId: string; readonly part: KnownPart }
);

/** Of which plans it is, is known. */
type KnownPart = ChangedPart & { readonly plans: readonly AgreedSeats[] };
const isKnownPart = (part: ChangedPart): part is KnownPart => part.plans !== undefined;

type ChangeStep = Extract<Step, { part: ChangedPart }>;

/**
 * The credits a month that parts of changes count for, where their plans are known: what is charged less what is given back, as far as
 * that was given. What no known payment bought was not: its invoice is still open, or void.
 */
export function creditsInForce(
  grants: readonly { readonly term: Term }[],
  changes: readonly PlanChange[],
): ReadonlyMap<ChangedPart, number> {
  const agreements = new Agreements(grants, changes);
  const inForce = new Map<ChangedPart, number>();
  const byEnd = new Map<Instant, Purchases>();
  for (const together of bySecond(stepsOf(grants, changes))) {
    const [{ end }] = together;
    const purchases = byEnd.get(end) ?? new Purchases(agreements);
    byEnd.set(end, purchases);
    for (const [part, credits] of purchases.settle(together)) inForce.set(part, credits);
  }
  return inForce;
}

type Together = [Step, ...Step[]];

/** The steps of one second and one end together, the earlier second first. */
function bySecond(steps: readonly Step[]): readonly Together[] {
  const found = new Map<string, Together>();
  for (const step of steps) {
    const name = `${step.since} ${step.end}`;
    const known = found.get(name);
    if (known === undefined) found.set(name, [step]);
    else known.push(step);
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, together]) => together);
}

function stepsOf(grants: readonly { readonly term: Term }[], changes: readonly PlanChange[]): readonly Step[] {
  // The months of a year are bought together: the first one speaks for all of them.
  const bought = grants.flatMap(({ term: { kind, plan, start, periodStart, periodEnd } }): readonly Step[] =>
    kind === 'period' && plan !== undefined && start === periodStart
      ? [{ end: periodEnd, since: periodStart, bought: plan }]
      : [],
  );
  const changed = changes.flatMap(({ changeId, periods }) =>
    periods.flatMap(({ end, parts }) =>
      parts.filter(isKnownPart).map((part): Step => ({ end, since: part.since, changeId, part })),
    ),
  );
  return [...bought, ...changed];
}

/** What is known to be bought of the periods that end at one time. */
class Purchases {
  #held: readonly AgreedSeats[] = [];
  /** Credits a month of what was charged, and never paid: they were not given, so they are not taken. */
  #missing = 0;

  constructor(private readonly agreements: Agreements) {}

  /** Goes on to the next second, and answers what the changes in it count for. */
  settle(steps: readonly Step[]): readonly (readonly [ChangedPart, number])[] {
    this.#held = [...this.#held, ...steps.flatMap((step) => ('bought' in step ? [step.bought] : []))];
    const changes = steps
      .filter((step): step is ChangeStep => 'part' in step)
      .sort((a, b) => (a.changeId < b.changeId ? -1 : 1));
    const charged = changes.flatMap(({ part: { plans } }) => plans.filter(({ quantity }) => quantity > 0));
    const isKnown = this.#held.length > 0;
    // Of several changes in one second nobody knows which came first.
    const isDoubtful = changes.length > 1;
    if (isDoubtful) this.#held = [...this.#held, ...charged];
    if (isKnown) for (const change of changes) this.#giveBack(change, charged);
    if (!isDoubtful) this.#held = [...this.#held, ...charged];
    return changes.map((change) => [change.part, this.#counted(this.#creditsOf(change))] as const);
  }

  #creditsOf({ part, changeId, end }: ChangeStep): number {
    return this.agreements.creditsOf(part, changeId, end);
  }

  #giveBack({ part: { plans, ...part }, changeId, end }: ChangeStep, charged: readonly AgreedSeats[]): void {
    for (const plan of plans.filter(({ quantity }) => quantity < 0)) {
      let left = -plan.quantity;
      const rest = this.#held.toReversed().map((one) => {
        if (one.id !== plan.id) return one;
        const given = Math.min(one.quantity, left);
        left -= given;
        return { ...one, quantity: one.quantity - given };
      });
      this.#held = rest.filter(({ quantity }) => quantity > 0).toReversed();
      if (left === 0) continue;
      const unpaid = { ...part, plans: [{ ...plan, quantity: -left }] };
      this.#wasNeverPaid(0 - this.agreements.creditsOf(unpaid, changeId, end), charged);
    }
  }

  /** It came in place of something that gives no more. Where all that is left gives more, nobody knows what it came for. */
  #wasNeverPaid(credits: number, charged: readonly AgreedSeats[]): void {
    if (this.#held.length === 0) this.#missing += credits;
    const isCharged = ({ id }: AgreedSeats): boolean => charged.some((one) => one.id === id);
    const [instead] = this.#held
      .filter((one) => worthOf(one) <= credits)
      .sort((a, b) => {
        if (isCharged(a) !== isCharged(b)) return isCharged(a) ? -1 : 1;
        return worthOf(b) - worthOf(a) || (a.id < b.id ? -1 : 1);
      });
    if (instead === undefined) return;
    this.#held = this.#held.filter((one) => one !== instead);
    this.#missing += credits - worthOf(instead);
  }

  /** Less counts only beyond what was never given. */
  #counted(credits: number): number {
    const spared = Math.min(this.#missing, Math.max(0, -credits));
    this.#missing -= spared;
    return credits + spared;
  }
}

const worthOf = ({ quantity, credits }: AgreedSeats): number => quantity * credits;
