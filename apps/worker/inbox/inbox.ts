import type { LedgerHandlers } from '#composition/ledger-handlers.js';
import type { CommandRequest } from '#event-store/writing/command.js';
import type { Position, RecordedEvent } from '#event-store/port/event-store.js';
import type { Clock } from '#kernel/clock.js';
import { instantOf } from '#kernel/instant.js';
import { catalogStream, stripeEventStream } from '#kernel/stream-name.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import { ruleFor } from '#ledger/ignore-rule.js';
import { ownerAt } from '#ledger/stripe/customer-owner.js';
import { effectOf, type ParkReason, type ReceivedStripeEvent, type StripeEventCommand } from '#ledger/stripe/event.js';
import { ignorableOf } from '#stripe/translations/ignorable.js';
import { stripeCustomerOf, translate, withObject } from '#stripe/translations/registry.js';
import type { FactCommand, Lookups } from '#stripe/translations/translation.js';
import { eachBounded } from '#consuming/bounded.js';
import type { LogConsumer } from '#consuming/follow-log.js';
import type { InboxState } from '#records/inbox/state.js';
import { refusalOf } from '../outcomes.js';
import { reasonOfFailure, refusedBy } from '../reasons.js';
import { requestBy } from '../requests.js';
import { recordStripeCustomer } from './owners.js';
import { scan, hasNews, type Due, type Links, type Seen } from './scan.js';
import { recordPlan } from './plans.js';
import { isSale, grantPurchase } from './purchases.js';
import { asTheTrialStands, isOfTrial } from './trials.js';

const CONCURRENCY = 64;
const PAGE = 500;
/** Younger events than this were set aside by nobody. */
const JUST_NOW_MS = 60_000;
/** How many events without meaning for the inbox may pass before the checkpoint is moved for them. */
const SAVE_EVERY = 10_000;

type InboxParts = {
  readonly handlers: LedgerHandlers;
  readonly state: InboxState;
  readonly clock: Clock;
  readonly livemode: boolean;
  /** The key of Stripe's metadata that names our customer. */
  readonly customerKey: string;
};

/**
 * Works off Stripe events: translates each, executes what it means, records how it ended. Knows no Nest and no database.
 *
 * Everything may be repeated: commands carry the key of their fact, and the checkpoint moves only after the whole batch is in
 * the log. Whatever became of a Stripe event passes by in the log again, so an event that was parked while its customer's link
 * or its price was on the way is found when either of the two comes by, whichever is first.
 */
export class Inbox implements LogConsumer {
  readonly #handlers: LedgerHandlers;
  readonly #state: InboxState;
  readonly #clock: Clock;
  readonly #livemode: boolean;
  readonly #customerKey: string;
  /** Events read since the checkpoint was moved. */
  #unsaved = 0;

  constructor(parts: InboxParts) {
    this.#handlers = parts.handlers;
    this.#state = parts.state;
    this.#clock = parts.clock;
    this.#livemode = parts.livemode;
    this.#customerKey = parts.customerKey;
  }

  checkpoint(): Promise<Position> {
    return this.#state.checkpoint();
  }

  /**
   * Acts upon the next batch of the log after `checkpoint` (and after batches that were not saved since) and returns the
   * checkpoint as it is then: batches without meaning for the inbox are saved with a later one. Throws without moving the checkpoint when the
   * store fails (TryAgainLater), another worker has taken over (CheckpointMoved) or an event cannot be read (ConsumerHalted).
   */
  async process(checkpoint: Position, batch: readonly RecordedEvent[]): Promise<Position> {
    const last = batch.at(-1);
    if (last === undefined) return checkpoint;
    const seen = scan(batch);
    this.#unsaved += batch.length;
    if (!hasNews(seen) && this.#unsaved < SAVE_EVERY) return checkpoint;
    if (seen.due.size > 0) await this.#attemptAll(seen.due, seen.links);
    if (seen.links.size > 0) {
      const ids = [...seen.links.keys()];
      await this.#retry((after) => this.#state.waitingForSubjects('unknown_customer', ids, after, PAGE), seen);
    }
    if (seen.catalogChanged) {
      for (const code of ['unknown_price', 'amount_mismatch'] as const)
        await this.#retry((after) => this.#state.waitingFor(code, after, PAGE), seen);
    }
    if (seen.rulesChanged) await this.#retry((after) => this.#state.waitingForAny(after, PAGE), seen);
    if (seen.linked.size > 0) {
      const ids = [...seen.linked];
      await this.#retry((after) => this.#state.waitingForSubjects('sale_in_doubt', ids, after, PAGE), seen);
    }
    await this.#state.commit({ from: checkpoint, to: last.position, links: seen.links, parked: seen.parked });
    this.#unsaved = 0;
    return last.position;
  }

  async #retry(page: (after: string) => Promise<readonly string[]>, seen: Seen): Promise<void> {
    for (let after = ''; ;) {
      const ids = await page(after);
      const due = new Map(
        ids.filter((id) => !seen.due.has(id) && seen.parked.get(id) !== null).map((id) => [id, null]),
      );
      await this.#attemptAll(due, seen.links);
      const last = ids.at(-1);
      if (last === undefined || ids.length < PAGE) return;
      after = last;
    }
  }

  /** Customers side by side, the Stripe events of one customer one after the other. */
  async #attemptAll(due: Due, links: Links): Promise<void> {
    const events = (await this.#receivedOf(due)).map((event) => ({ event, stripeCustomerId: stripeCustomerOf(event) }));
    const named = [...new Set(events.flatMap(({ stripeCustomerId }) => stripeCustomerId ?? []))];
    const known = await this.#state.ownersOf(named);
    const owners: Links = new Map([...known, ...links]);
    const lookups = {
      catalog: (await this.#handlers.catalog.load(catalogStream)).state,
      customerKey: this.#customerKey,
      livemode: this.#livemode,
      now: instantOf(this.#clock.now()),
    };
    const groups = Map.groupBy(events, ({ event, stripeCustomerId }) => stripeCustomerId ?? event.stripeEventId);
    await eachBounded(groups.values(), CONCURRENCY, async (group) => {
      for (const { event, stripeCustomerId: id } of group) {
        const owner = id === null ? null : ownerAt(owners.get(id) ?? [], event.created);
        const customerOfStripe = new Map(id === null || owner === null ? [] : [[id, owner]]);
        await this.#attemptOrPark(event, { ...lookups, customerOfStripe });
      }
    });
  }

  async #receivedOf(due: Due): Promise<readonly ReceivedStripeEvent[]> {
    const found = new Map<string, ReceivedStripeEvent | null>(due);
    await eachBounded(due, CONCURRENCY, async ([id, received]) => {
      // An inbox that reads the log again meets what was set aside since.
      if (received !== null && this.#clock.now() - Date.parse(received.at) < JUST_NOW_MS) return;
      const { state } = await this.#handlers.stripeEvent.load(stripeEventStream(id));
      found.set(id, state.status === 'set_aside' ? null : (received ?? state.received));
    });
    return [...found.values()].filter((received) => received !== null);
  }

  /** A fault of our own, or more than the log takes, keeps one event waiting for a person, and never the others. */
  async #attemptOrPark(event: ReceivedStripeEvent, lookups: Lookups): Promise<void> {
    try {
      await this.#attempt(event, lookups);
    } catch (error) {
      const reason = reasonOfFailure(error);
      if (reason === null) throw error;
      await this.#record(event, { type: 'ParkStripeEvent', reason: withObject(reason, event) });
    }
  }

  async #attempt(event: ReceivedStripeEvent, lookups: Lookups): Promise<void> {
    const rule = ruleFor(lookups.catalog.ignore, ignorableOf(event));
    if (rule !== null)
      return this.#record(event, { type: 'SetAsideStripeEvent', actor: 'catalog', reason: rule.reason });
    const translation = translate(event, lookups);
    if (translation.kind === 'park')
      return this.#record(event, { type: 'ParkStripeEvent', reason: translation.reason });
    // Each on a stream of its own. A refused grant does not undo that money came in: the payment is recorded all the same, but
    // only under the id that its sale is known by.
    const sale = translation.commands.find(isSale);
    const purchase =
      sale === undefined ? null : await grantPurchase(this.#handlers, sale, requestBy(event.stripeEventId));
    const rest = translation.commands.filter(
      (fact) => fact !== sale && (purchase === null || !isPaymentBeside(fact, purchase.reference)),
    );
    for (const fact of rest) if (fact.to === 'usage') await this.#execute(event, fact);
    const trials = rest.filter(isOfTrial);
    const others = rest.filter((fact) => fact.to !== 'usage' && !isOfTrial(fact));
    const reasons = await Promise.all(others.map((fact) => this.#execute(event, fact)));
    for (const fact of trials) reasons.push(await this.#execute(event, await asTheTrialStands(this.#handlers, fact)));
    const conflict = await this.#name(event, rest);
    const reason = reasons.find((each) => each !== null) ?? purchase?.reason ?? conflict;
    if (reason !== null) return this.#record(event, { type: 'ParkStripeEvent', reason: withObject(reason, event) });
    const recorded = sale !== undefined && purchase?.granted === true ? [sale, ...rest] : rest;
    const effects = recorded.map(effectOf);
    return this.#record(event, { type: 'RecordTranslation', effects });
  }

  /**
   * Records what the event says of a Stripe customer, after all else: what names somebody itself is that one's, whoever the Stripe
   * customer belongs to. The answer is why the event waits, if it names somebody else; the others that do are parked with it,
   * and those that do not any more are tried again.
   */
  async #name(event: ReceivedStripeEvent, facts: readonly FactCommand[]): Promise<ParkReason | null> {
    let own: ParkReason | null = null;
    for (const { to, stream, key, command } of facts) {
      if (to !== 'stripeCustomer') continue;
      const request = { stream, key, command, ...requestBy(event.stripeEventId) };
      for (const { stripeEventId: id, reason } of await recordStripeCustomer(this.#handlers, request)) {
        if (id === event.stripeEventId) own = reason;
        else await this.#judge(event, id, reason);
      }
    }
    return own;
  }

  /**
   * Parks another Stripe event by what this one has made known, or tries it again where `reason` is null. One that waits for
   * something else is left alone: it is judged when that has come, and two events never park each other by turns.
   */
  async #judge(event: ReceivedStripeEvent, id: string, reason: ParkReason | null): Promise<void> {
    const { received, reason: before } = (await this.#handlers.stripeEvent.load(stripeEventStream(id))).state;
    const waitsForIt = before?.code === 'owner_conflict';
    // One that is being worked off beside this one may have looked before this was known.
    if (reason !== null && received !== null && (waitsForIt || before === null))
      await this.#record(event, { type: 'ParkStripeEvent', reason: withObject(reason, received) }, id);
    if (reason === null && waitsForIt) await this.#record(event, { type: 'RequestRetry' }, id);
  }

  /** Why the fact was not taken, or null. */
  async #execute(event: ReceivedStripeEvent, fact: FactCommand): Promise<ParkReason | null> {
    const { stream, key } = fact;
    const request = { stream, key, ...requestBy(event.stripeEventId) };
    switch (fact.to) {
      case 'account':
        return this.#account({ ...request, command: fact.command });
      case 'stripeCustomer':
        return null; // by #name
      case 'payment':
        // What follows from it is for the settler, which finds it in the log.
        return refusalOf(this.#handlers.payment.execute({ ...request, command: fact.command }));
      case 'invoice':
        return refusalOf(this.#handlers.invoice.execute({ ...request, command: fact.command }));
      case 'subscription':
        return refusalOf(this.#handlers.subscription.execute({ ...request, command: fact.command }));
      case 'usage':
        await recordPlan(this.#handlers, { ...request, command: fact.command });
        return null;
    }
  }

  async #account(request: CommandRequest<AccountCommand>): Promise<ParkReason | null> {
    const refusal = await refusalOf(this.#handlers.account.execute(request));
    return refusal === null ? null : refusedBy(request.stream, refusal.rejected);
  }

  /** Records how a Stripe event ended: that which is worked off, or one that it affects. */
  async #record(event: ReceivedStripeEvent, command: StripeEventCommand, about = event.stripeEventId): Promise<void> {
    const stream = stripeEventStream(about);
    await refusalOf(
      this.#handlers.stripeEvent.execute({ stream, key: null, command, ...requestBy(event.stripeEventId) }),
    );
  }
}

/** A payment of a sale that is kept under another id, or under none that is known yet. */
const isPaymentBeside = ({ to, command }: FactCommand, reference: string | null): boolean =>
  to === 'payment' && command.type === 'RecordPayment' && command.paymentId !== reference;
