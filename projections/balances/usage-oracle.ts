import type { Amount } from '#kernel/amount.js';
import { instantOf, monthOf, msOf, type Instant } from '#kernel/instant.js';
import type { Json } from '#kernel/json.js';
import type { AccountEvent, AccountEventOf, RevocationCause, Term } from '#ledger/account/events.js';
import { DETAILED_SUMS, isLessOfPlan, KEPT_SUMS } from '#ledger/account/usage.js';

type Given = { readonly term: Term; credits: number };

const DAYS_31 = 31 * 86_400_000;
const DAYS_400 = 400 * 86_400_000;

/** When the calendar month began, UTC; in milliseconds as `ms`. */
const monthStart = (ms: number): number => msOf(`${monthOf(instantOf(ms))}-01T00:00:00.000Z`);

/** What an account's `usage` must be, counted from all its consumptions and grants instead of event by event. */
export class UsageOracle {
  /**
   * What was consumed, less what was given back, and in which second, both by revision. Plain numbers, as are all seconds here, in
   * milliseconds since the epoch: an object for each consumption would be most of an audit's memory.
   */
  readonly #consumed: number[] = [];
  readonly #seconds: number[] = [];
  readonly #given = new Map<string, Given>();
  readonly #ends = new Map<string, Instant>();
  readonly #trials = new Map<string, AccountEventOf<'TrialChanged'>>();
  /** The first second of those that the newest aged one is counted with. */
  #groupFrom = -Infinity;
  /** The first seconds of all groups that are kept; the newest seconds are a group each. */
  #kept: number[] = [];
  #termsAt = 0;

  add(event: AccountEvent, revision: number): void {
    switch (event.type) {
      case 'CreditsConsumed':
      case 'HoldCaptured':
        this.#consume(event.at, event.amount, revision);
        return;
      case 'ConsumptionReversed': {
        const consumed = this.#consumed[event.consumptionRevision];
        if (consumed !== undefined) this.#consumed[event.consumptionRevision] = consumed - event.amount;
        return;
      }
      case 'CreditsGranted':
        if (event.term === undefined) return;
        this.#termsAt = msOf(event.at);
        if (event.term.kind !== 'rollover' && event.term.kind !== 'trial')
          this.#given.set(event.grantId, { term: event.term, credits: event.amount });
        return;
      case 'CreditsRevoked':
        for (const { grantId, amount } of event.allocations) this.#take(event.cause.kind, grantId, amount);
        return;
      case 'CreditsReinstated':
        this.#take(event.cause.kind, event.grantId, -event.amount);
        return;
      case 'TrialChanged':
        this.#termsAt = msOf(event.at);
        this.#trials.set(event.subscriptionId, event);
        return;
      case 'TermsEnded':
        this.#termsAt = msOf(event.at);
        this.#ends.delete(event.subscriptionId);
        this.#ends.set(event.subscriptionId, event.endedAt);
        return;
      default:
    }
  }

  #take(kind: RevocationCause['kind'], grantId: string, amount: number): void {
    const given = this.#given.get(grantId);
    if (given !== undefined && isLessOfPlan(kind, given.term)) given.credits -= amount;
  }

  #consume(at: Instant, amount: Amount, revision: number): void {
    const second = Math.floor(msOf(at) / 1000) * 1000;
    this.#consumed[revision] = amount;
    this.#seconds[revision] = second;
    if (this.#kept.at(-1) === second) return;
    this.#kept.push(second);
    const old = this.#kept[this.#kept.length - 1 - DETAILED_SUMS];
    if (old === undefined) return;
    const first = this.#groupFrom;
    const periods = this.#periods();
    const known = periods.flatMap(({ start, end }) => [msOf(start), msOf(end)]);
    known.push(monthStart(old));
    if (known.some((boundary) => first < boundary && boundary <= old)) this.#groupFrom = old;
    else this.#kept = this.#kept.filter((from) => from !== old);
    const shown = Math.min(monthStart(second), ...periods.map(({ start }) => msOf(start)));
    const over = this.#kept.length - KEPT_SUMS;
    this.#kept = this.#kept.filter((from, index) => index >= over || from >= shown);
  }

  /** What each month of each subscription gives, by subscription and end, whichever was reported first. */
  #periods(): { id: string; kind: string; start: Instant; end: Instant; credits: number }[] {
    const months = new Map<string, Given[]>();
    for (const given of this.#given.values()) {
      if (msOf(given.term.end) < this.#termsAt - DAYS_31) continue;
      const name = `${given.term.end} ${given.term.subscriptionId}`;
      months.set(name, [...(months.get(name) ?? []), given]);
    }
    const found = [...months.values()].flatMap((all) =>
      all.slice(0, 1).map(({ term }) => ({
        id: term.subscriptionId,
        kind: term.kind === 'free' ? 'free' : 'paid',
        start: all.map((each) => each.term.start).sort()[0] ?? term.start,
        end: term.end,
        credits: all.reduce((sum, { credits }) => sum + credits, 0),
      })),
    );
    const trials = [...this.#trials].map(([id, { start, end, amount: credits }]) => {
      const endedAt = this.#ends.get(id);
      return { id, kind: 'trial', start, end: endedAt !== undefined && endedAt < end ? endedAt : end, credits };
    });
    const lasting = trials.filter(({ end }) => msOf(end) >= this.#termsAt - DAYS_31);
    return [...found, ...lasting].sort((a, b) =>
      `${a.id} ${a.end} ${a.kind}` < `${b.id} ${b.end} ${b.kind}` ? -1 : 1,
    );
  }

  /** The document that the row must have. */
  expected(): Json {
    const sums = this.#kept.map((from) => ({ from, since: Infinity, consumed: 0n }));
    this.#consumed.forEach((amount, revision) => {
      const second = this.#seconds[revision] ?? 0;
      const sum = sums.findLast(({ from }) => from <= second);
      if (sum === undefined) return; // not kept any more
      sum.since = Math.min(sum.since, revision);
      sum.consumed += BigInt(amount);
    });
    return {
      periods: this.#periods().map(({ id, kind, start, end, credits }) => [id, kind, start, end, credits]),
      ends: [...this.#ends]
        .filter(([, at]) => msOf(at) >= this.#termsAt - DAYS_400)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
      sums: sums
        .map(({ from, since, consumed }) => `${instantOf(from).slice(0, 19)} ${String(since)} ${String(consumed)}`)
        .join(';'),
    };
  }
}
