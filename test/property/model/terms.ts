import type { AccountCommand } from '#ledger/account/commands.js';
import type { AgreedSeats, ChangedPart, ChangedPeriod, PlanChange } from '#ledger/account/events.js';
import {
  asOneMonth,
  monthsLater,
  monthUntil,
  monthsOf,
  restOf,
  secondsOf,
  textOf,
  type Month,
} from '../../lives/books/calendar.js';
import { takenByChanges, type TermLot } from '../../lives/books/change-books.js';
import type { ChangedMonth } from '../../lives/books/term-books.js';
import { neverGiven, type Deal } from '../../lives/books/unpaid-books.js';
import { Bookkeeping } from './bookkeeping.js';
import { refuse, sum, type Bucket, type ModelGrant, type ModelTerm } from './books.js';

type Command<Type extends AccountCommand['type']> = Extract<AccountCommand, { type: Type }>;

/**
 * What subscriptions give: paid periods, changes of plan within them, ends, months of a free plan. Months, shares and what changes
 * take are reckoned as in the books of random lives (test/lives/books), which are written from the README alone.
 */
export class Terms extends Bookkeeping {
  protected grantPeriod(command: Command<'GrantPeriod'>): void {
    const { subscriptionId, periodStart, periodEnd, interval, creditsPerMonth, prorated, paymentReference } = command;
    const { plan } = command;
    const agreed = plan === undefined ? {} : { plan };
    const [start, end] = [secondsOf(periodStart), secondsOf(periodEnd)];
    const charged = plan === undefined ? [] : [{ plan: plan.id, seats: plan.quantity, credits: plan.credits }];
    const bought: Deal = { end, since: start, invoiceId: paymentReference, charged, givenBack: [] };
    const months = interval === 'year' ? monthsOf(start, end) : [asOneMonth(start, end)];
    const measured = months.map((month) => ({ ...month, measuredFrom: prorated ? month.measuredFrom : month.start }));
    const amounts = measured.map((month) => restOf(creditsPerMonth, month.start, month));
    this.checkLimit(sum(amounts));
    this.open();
    for (const [index, month] of measured.entries()) {
      const term = { subscription: subscriptionId, periodStart: start, start: month.start, end: month.end };
      this.give(amounts[index]!, paymentReference, index === 0, end, {
        ...term,
        measuredFrom: month.measuredFrom,
        kind: 'period',
        ...agreed,
        ...(index === 0 ? { bought } : {}),
      });
    }
  }

  protected changePeriod({ subscriptionId, ...change }: Command<'ChangePeriod'>): void {
    const known = (this.books.changes[subscriptionId] ??= []);
    if (known.some(({ changeId }) => changeId === change.changeId)) return;
    this.open();
    known.push(change);
  }

  /** Of two times the earlier counts. */
  protected endSubscription({ subscriptionId, endedAt }: Command<'EndSubscription'>): void {
    const known = this.books.ends[subscriptionId];
    if (known !== undefined && known <= endedAt) return;
    this.open();
    this.books.ends[subscriptionId] = endedAt;
  }

  /** A trial's credits: once. */
  protected agreeTrial({ subscriptionId, amount, start, end, version }: Command<'AgreeTrial'>): void {
    if (this.books.trials[subscriptionId] !== undefined) return;
    this.checkLimit(amount);
    this.open();
    this.books.trials[subscriptionId] = { amount, start, end, version };
  }

  /** The newest report of its end counts; a later trial only says that the first one was over by then. */
  protected moveTrial({ subscriptionId, start, end, version }: Command<'MoveTrial'>): void {
    const known = this.books.trials[subscriptionId];
    if (known === undefined || known.version >= version) return;
    const moved = start > known.start ? [known.end, start].sort()[0]! : end;
    if (moved !== known.end) this.books.trials[subscriptionId] = { ...known, end: moved, version };
  }

  /** What nobody has used of a trial's credits ends when the trial does. */
  protected settleTrials(at: string): void {
    for (const [subscription, { amount, start, end: agreed }] of Object.entries(this.books.trials)) {
      const end = [agreed, this.books.ends[subscription] ?? agreed].sort()[0]!;
      const own = this.books.grants.filter(({ term }) => term?.kind === 'trial' && term.subscription === subscription);
      for (const grant of own.filter(({ expiresAt }) => expiresAt !== end)) {
        for (const bucket of end <= at ? (['free'] as const) : (['free', 'expired'] as const)) {
          grant.takenByTrial += grant[bucket];
          this.shift(grant, bucket, 'revoked', grant[bucket]);
        }
      }
      if (end <= at) continue;
      const used = sum(own.map((one) => one.amount - one.free - one.expired - one.takenByTrial));
      const lasting = own.filter(({ expiresAt }) => expiresAt === end);
      let missing = amount - used - sum(lasting.map(({ free }) => free));
      for (const grant of lasting) {
        const part = Math.min(missing, grant.takenByTrial);
        grant.takenByTrial -= part;
        this.shift(grant, 'revoked', 'free', part);
        missing -= part;
      }
      const [from, until] = [secondsOf(start), secondsOf(end)];
      const term = { subscription, periodStart: from, start: from, end: until, measuredFrom: from };
      this.give(missing, null, true, until, { ...term, kind: 'trial' });
    }
  }

  /** A month that has begun is only ever granted; one to come is granted with its amount, or withdrawn. */
  protected keepFreeMonths({ subscriptionId, months }: Command<'KeepFreeMonths'>): void {
    for (const { start, end, amount } of months) {
      if (end <= this.at) continue;
      const known = this.books.grants.filter(
        ({ term, effectiveAt }) =>
          term?.kind === 'free' && term.subscription === subscriptionId && effectiveAt === start,
      );
      const given = known.filter((grant) => grant.revoked === 0);
      if (given.some((grant) => grant.effectiveAt <= this.at)) continue;
      for (const grant of given.filter((one) => one.amount !== amount))
        this.shift(grant, 'scheduled', 'revoked', grant.scheduled);
      if (amount === null || amount === 0 || given.some((grant) => grant.amount === amount)) continue;
      const same = known.find((grant) => grant.amount === amount);
      if (same !== undefined) {
        this.shift(same, 'revoked', same.activated ? 'free' : 'scheduled', same.revoked);
        continue;
      }
      this.checkLimit(amount);
      this.open();
      const [from, until] = [secondsOf(start), secondsOf(end)];
      const term = { subscription: subscriptionId, periodStart: from, start: from, end: until, measuredFrom: from };
      this.give(amount, null, false, until, { ...term, kind: 'free' });
    }
  }

  /** Puts back what changes and ends have taken, for claims, which come first. */
  protected putBackTerms(at: string): void {
    for (const grant of this.books.grants) {
      this.shift(grant, 'revoked', this.unusedOf(grant, at), grant.takenByTerm);
      grant.takenByTerm = 0;
    }
  }

  /** Grants what changes to more mean and was not granted yet, and takes what is not paid for any more as far as it is unspent. */
  protected settleTerms(): void {
    const changes = Object.entries(this.books.changes).flatMap(([subscription, all]) =>
      all.flatMap((change) => this.changedMonths(subscription, change)),
    );
    const lots = this.books.grants.flatMap((grant, number): readonly TermLot[] => {
      const { term, amount, paymentReference, scheduled, free, expired, claimed } = grant;
      if (term === null || term.kind === 'free' || term.kind === 'trial') return [];
      const rolledOver = term.kind === 'rollover';
      const invoiceId = paymentReference ?? '';
      const unspent = scheduled + free + expired;
      return [{ id: String(number), invoiceId, amount, term, rolledOver, unspent, claimed }];
    });
    const ends = new Map(Object.entries(this.books.ends).map(([id, end]) => [id, secondsOf(end)]));
    for (const [id, amount] of takenByChanges(lots, changes, ends)) {
      const grant = this.books.grants[Number(id)]!;
      let missing = amount;
      for (const bucket of ['scheduled', 'free', 'expired'] as const) {
        const part = Math.min(missing, grant[bucket]);
        this.shift(grant, bucket, 'revoked', part);
        missing -= part;
      }
      grant.takenByTerm += amount;
    }
  }

  /** What a change means, month by month: for the month under way by the policy, for those after it in any case. */
  private changedMonths(subscription: string, { changeId, periods }: PlanChange): readonly ChangedMonth[] {
    return periods.flatMap((period): readonly ChangedMonth[] => {
      const { parts, interval } = period;
      const [first, end] = [secondsOf(parts[0]!.since), secondsOf(period.end)];
      const months = interval === 'year' ? monthsOf(first, end) : [asOneMonth(first, end)];
      return months.flatMap((month) => this.changedMonth(subscription, changeId, period, month));
    });
  }

  private changedMonth(subscription: string, invoiceId: string, period: ChangedPeriod, month: Month): ChangedMonth[] {
    const { end } = month;
    const spared = this.neverGiven(subscription);
    const within = period.parts
      .map((part) => ({
        since: secondsOf(part.since),
        credits: this.worthOf(subscription, part) + (spared.get(part) ?? 0),
      }))
      .filter(({ since }) => since < end);
    const since = Math.max(...within.map((part) => part.since));
    const own = this.books.grants.flatMap(({ term }) => (term === null ? [] : [term]));
    const starts = own
      .filter((term) => term.kind === 'period' && term.subscription === subscription && term.end === end)
      .filter(({ start }) => start <= Math.max(month.start, within[0]!.since))
      .map((term) => term.measuredFrom);
    const measuredFrom = starts.length === 0 ? monthUntil(end, secondsOf(period.end)) : Math.max(...starts);
    const credits = within.reduce(
      (total, part) =>
        total + Math.sign(part.credits) * restOf(Math.abs(part.credits), part.since, { measuredFrom, end }),
      0,
    );
    const underWay = period.interval === 'month' || since > measuredFrom;
    const from = period.interval === 'month' ? since : Math.max(since, month.start);
    const policy = { grants: !underWay || period.grants, takesBack: !underWay || period.takesBack };
    return credits === 0 ? [] : [{ subscription, invoiceId, since, from, end, credits, ...policy }];
  }

  private worthOf(subscription: string, { credits, plans }: ChangedPart): number {
    if (plans === undefined) return credits;
    return sum(plans.map((plan) => plan.quantity * this.eachOf(subscription, plan)));
  }

  /** What is given back is worth what was agreed of the plan, whatever the catalogue says since. */
  private eachOf(subscription: string, { id, quantity, credits: now }: AgreedSeats): number {
    const bought = this.books.grants.find(({ term }) => term?.subscription === subscription && term.plan?.id === id);
    return quantity < 0 ? (bought?.term?.plan?.credits ?? now) : now;
  }

  /** What of each part of a subscription's changes is given back though nobody paid for it. */
  private neverGiven(subscription: string): ReadonlyMap<ChangedPart, number> {
    const periods = this.books.grants.flatMap(({ term }) =>
      term?.subscription === subscription && term.bought !== undefined ? [term.bought] : [],
    );
    const parts = (this.books.changes[subscription] ?? []).flatMap(({ changeId: invoiceId, periods: changed }) =>
      changed.flatMap(({ end, parts: all }) =>
        all.flatMap((part) => {
          if (part.plans === undefined) return [];
          const seats = part.plans.map((plan) => ({
            ...{ plan: plan.id, seats: Math.abs(plan.quantity), credits: this.eachOf(subscription, plan) },
            isCharged: plan.quantity > 0,
          }));
          const [charged, givenBack] = [seats.filter((one) => one.isCharged), seats.filter((one) => !one.isCharged)];
          return [{ part, deal: { end: secondsOf(end), since: secondsOf(part.since), invoiceId, charged, givenBack } }];
        }),
      ),
    );
    const found = neverGiven(
      periods,
      parts.map(({ deal }) => deal),
    );
    return new Map(parts.map(({ part, deal }) => [part, found.get(deal) ?? 0]));
  }

  /** Grants what changes to more mean and was not granted yet. */
  protected grantChanges(): void {
    for (const [subscription, changes] of Object.entries(this.books.changes)) {
      for (const change of changes) {
        const months = this.changedMonths(subscription, change).filter(({ credits, grants }) => credits > 0 && grants);
        for (const period of change.periods) {
          const own = months.filter(({ end }) => end <= secondsOf(period.end));
          for (const { since, from, end, credits } of own) {
            const given = this.books.grants.filter(
              ({ term }) => term?.invoiceId === change.changeId && term.end === end,
            );
            const missing = credits - sum(given.map(({ amount }) => amount));
            const times = { periodStart: since, start: from, end, measuredFrom: from };
            const term: ModelTerm = { subscription, ...times, invoiceId: change.changeId, kind: 'change' };
            if (missing > 0) this.give(missing, change.paymentReference, from === since, secondsOf(period.end), term);
          }
        }
      }
    }
  }

  /** Where what nobody uses of a grant is. */
  protected unusedOf({ activated, expiresAt }: ModelGrant, at: string): 'scheduled' | 'free' | 'expired' {
    if (expiresAt !== null && expiresAt <= at) return 'expired';
    return activated ? 'free' : 'scheduled';
  }

  private checkLimit(amount: number): void {
    const lifetime = sum(this.books.grants.map((grant) => grant.amount));
    if (lifetime > Number.MAX_SAFE_INTEGER - amount) refuse('balance_limit_exceeded');
  }

  private shift(grant: ModelGrant, from: Bucket, to: Bucket, amount: number): void {
    this.move(this.books.grants.indexOf(grant), from, to, amount);
  }

  /** A grant of a subscription. One that is over already lasts until the month ends, counted from the period's end, that it is given in. */
  private give(
    amount: number,
    paymentReference: string | null,
    first: boolean,
    periodEnd: number,
    term: ModelTerm,
  ): void {
    if (amount === 0) return;
    const start = textOf(term.start);
    const effectiveAt = first && this.at < start ? this.at : start;
    let end = term.end;
    for (let months = -24; textOf(end) <= this.at; months += 1) end = Math.max(end, monthsLater(periodEnd, months));
    const activated = effectiveAt <= this.at;
    this.books.grants.push({
      source: term.kind === 'free' ? 'free_tier' : term.kind === 'trial' ? 'trial' : 'subscription',
      priority: 50,
      revision: (this.books.revision += 1),
      ...{
        amount,
        effectiveAt,
        expiresAt: textOf(end),
        currency: null,
        paid: false,
        costLeft: 0,
        paymentReference,
        activated,
      },
      ...{ scheduled: activated ? 0 : amount, free: activated ? amount : 0 },
      ...{
        held: 0,
        consumed: 0,
        expired: 0,
        revoked: 0,
        repaid: 0,
        transferred: 0,
        passedOn: { taken: 0, reserved: 0 },
        lot: null,
        reserved: 0,
        claimed: 0,
        withdrawn: 0,
        takenByTerm: 0,
        takenByTrial: 0,
        term,
      },
    });
  }
}
