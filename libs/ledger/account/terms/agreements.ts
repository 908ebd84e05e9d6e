import type { Instant } from '#kernel/instant.js';
import type { ChangedPart, PlanChange, Term } from '../events.js';

/** What was agreed of a plan, at the time from which it counts; `changeId` null where a period was bought. */
type Agreement = { readonly since: Instant; readonly changeId: string | null; readonly credits: number };

/**
 * What was agreed of the plans of a subscription when they were bought, by the facts known now. What a change gives back is worth
 * that, whatever the catalogue says by the time of the change.
 */
export class Agreements {
  readonly #known = new Map<string, Agreement[]>();

  constructor(grants: readonly { readonly term: Term }[], changes: readonly PlanChange[]) {
    for (const { term } of grants) {
      const { kind, plan, periodStart: since, periodEnd } = term;
      if (kind === 'period' && plan !== undefined)
        this.#add(nameOf(plan.id, periodEnd), { since, changeId: null, credits: plan.credits });
    }
    for (const { changeId, periods } of changes)
      for (const { end, parts } of periods)
        for (const { since, plans } of parts)
          for (const { id, credits, quantity } of plans ?? [])
            if (quantity > 0) this.#add(nameOf(id, end), { since, changeId, credits });
    for (const list of this.#known.values()) list.sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
  }

  /** The credits of a part of a change to the period that ends at `end`. */
  creditsOf({ since, credits, plans }: ChangedPart, changeId: string, end: Instant): number {
    if (plans === undefined) return credits;
    return plans.reduce((sum, { id, quantity, credits: now }) => {
      const agreed = quantity < 0 ? this.#agreed(nameOf(id, end), since, changeId) : null;
      return sum + quantity * (agreed ?? now);
    }, 0);
  }

  /** By what was bought last before a change; of one second by what another change bought, where there is nothing before. */
  #agreed(name: string, since: Instant, changeId: string): number | null {
    const all = this.#known.get(name) ?? [];
    const isBefore = (one: Agreement): boolean => one.since < since || (one.since === since && one.changeId === null);
    const isBeside = (one: Agreement): boolean => one.since === since && one.changeId !== changeId;
    return (all.findLast(isBefore) ?? all.findLast(isBeside))?.credits ?? null;
  }

  #add(name: string, agreement: Agreement): void {
    const known = this.#known.get(name) ?? [];
    this.#known.set(name, known);
    // Each month of a year says the same of its period.
    const last = known.at(-1);
    if (last === undefined || orderOf(last) !== orderOf(agreement)) known.push(agreement);
  }
}

const nameOf = (planId: string, end: Instant): string => `${planId} ${end}`;

const orderOf = ({ since, changeId, credits }: Agreement): string => `${since} ${changeId ?? ''} ${String(credits)}`;
