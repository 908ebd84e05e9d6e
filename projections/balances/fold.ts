import { assert } from '#kernel/assert.js';
import type { Json } from '#kernel/json.js';
import type { AccountEvent, HeldSlice, Settings, Term } from '#ledger/account/events.js';
import { buckets, moves, NO_CREDITS, type Bucket, type Move } from '#ledger/account/grants/moves.js';
import { decodeUsage, encodeUsage, NO_USAGE, usageAfter, type Usage } from '#ledger/account/usage.js';
import type { RecordedEvent } from '#event-store/port/event-store.js';
import type { ProjectionWriter } from '#projecting/projection.js';
import type { Reader } from '#database/database.js';
import { TableWriter, type RowOf, type Table } from '#projecting/tables.js';
import { document } from '#database/values.js';
import { accountBalances, grants, holds, type AccountRow, type GrantRow, type HoldRow } from './tables.js';
import { dispatch, ownerOf, type Handlers, type Projected } from '../ledger-projection.js';
import type { LedgerEvent } from '#ledger/events.js';

type Account = {
  readonly row: AccountRow;
  /** What the row's `usage` is written from. */
  usage: Usage;
  /** Live grants, and others that were needed since. */
  readonly grants: Map<string, GrantRow>;
  /** Open holds. */
  readonly holds: Map<string, HoldRow>;
};

/** How many rows are kept between batches. */
const KEPT_MAX = 100_000;

/**
 * Folds account events into rows. Keeps the accounts that it has seen, so a busy one is read once and then only written;
 * allowed because nobody else writes these tables while the checkpoint is where this writer left it.
 */
export class AccountFold implements ProjectionWriter<LedgerEvent> {
  readonly #accounts = new Map<string, Account>();
  readonly #dirtyAccounts = new Set<Account>();
  readonly #dirtyGrants = new Set<GrantRow>();
  readonly #dirtyHolds = new Set<HoldRow>();
  /** Of those to be written, the rows that are not in their table yet. */
  readonly #added = new Set<AccountRow | GrantRow | HoldRow>();
  readonly #accountTable: TableWriter<typeof accountBalances>;
  readonly #grantTable: TableWriter<typeof grants>;
  readonly #holdTable: TableWriter<typeof holds>;
  #kept = 0;

  constructor(table: (name: string) => string) {
    this.#accountTable = new TableWriter(accountBalances, table(accountBalances.name));
    this.#grantTable = new TableWriter(grants, table(grants.name));
    this.#holdTable = new TableWriter(holds, table(holds.name));
  }

  async apply(transaction: Reader, batch: readonly Projected[]): Promise<void> {
    if (this.#kept > KEPT_MAX) this.#forgetAll();
    await this.#load(transaction, batch);
    for (const projected of batch) {
      dispatch(accountHandlers, this, projected);
      this.#advance(projected);
    }
    await this.#write(transaction);
  }

  /** The account of an event, which must exist. */
  account({ stream }: RecordedEvent): Account {
    const account = this.#accounts.get(stream);
    assert(account !== undefined, `${stream} has events before it was opened`);
    return account;
  }

  hold(recorded: RecordedEvent, id: string): HoldRow {
    const hold = this.account(recorded).holds.get(id);
    assert(hold !== undefined, `${recorded.stream} has no open hold ${id}`);
    this.#dirtyHolds.add(hold);
    return hold;
  }

  open(row: AccountRow): void {
    this.#added.add(row);
    this.#keepAccount(row);
  }

  #keepAccount(row: AccountRow): void {
    assert(!this.#accounts.has(row.stream), `${row.stream} was opened twice`);
    this.#accounts.set(row.stream, {
      row,
      usage: decodeUsage(JSON.parse(row.usage) as Json),
      grants: new Map(),
      holds: new Map(),
    });
    this.#kept += 1;
  }

  addGrant(row: GrantRow): void {
    this.#keepGrant(row);
    this.#dirtyGrants.add(row);
    this.#added.add(row);
  }

  addHold(row: HoldRow): void {
    this.#keepHold(row);
    this.#dirtyHolds.add(row);
    this.#added.add(row);
  }

  #grant({ row, grants: lots }: Account, id: string): GrantRow {
    const grant = lots.get(id);
    assert(grant !== undefined, `${row.stream} has no grant ${id}`);
    this.#dirtyGrants.add(grant);
    return grant;
  }

  /** What every event of an account changes. Asserts that none is missing. */
  #advance({ recorded, event }: Projected): void {
    const account = this.account(recorded);
    const { row } = account;
    assert(
      recorded.revision === Number(row.revision) + 1,
      `${recorded.stream} goes from revision ${String(row.revision)} to ${String(recorded.revision)}`,
    );
    for (const move of moves(event as AccountEvent)) moveCredits(this.#grant(account, move.grantId), move);
    const { balance } = event as AccountEvent;
    account.usage = usageAfter(account.usage, event as AccountEvent, recorded.revision, (id) =>
      termOf(account.grants.get(id)),
    );
    row.available = balance.available;
    row.held = balance.held;
    row.debt = balance.debt;
    row.revision = recorded.revision;
    row.position = recorded.position;
    this.#dirtyAccounts.add(account);
  }

  async #load(on: Reader, batch: readonly Projected[]): Promise<void> {
    const streams = [...new Set(batch.map(({ recorded }) => recorded.stream))].filter(
      (stream) => !this.#accounts.has(stream),
    );
    if (streams.length > 0) {
      for (const row of await this.#accountTable.where(on, 'stream', streams)) this.#keepAccount(row);
      for (const row of await this.#grantTable.where(on, 'stream', streams, 'live')) this.#keepGrant(row);
      for (const row of await this.#holdTable.where(on, 'stream', streams, `status = 'open'`)) this.#keepHold(row);
    }
    const revived = batch.flatMap(({ recorded, event }) =>
      revivedGrants(event).map((grant_id) => ({ stream: recorded.stream, grant_id })),
    );
    const missing = revived.filter(
      ({ stream, grant_id }) => this.#accounts.get(stream)?.grants.has(grant_id) === false,
    );
    for (const row of await this.#grantTable.withKeys(on, unique(missing))) this.#keepGrant(row);
  }

  #keepGrant(row: GrantRow): void {
    this.#accounts.get(row.stream)?.grants.set(row.grant_id, row);
    this.#kept += 1;
  }

  #keepHold(row: HoldRow): void {
    this.#accounts.get(row.stream)?.holds.set(row.hold_id, row);
    this.#kept += 1;
  }

  async #write(on: Reader): Promise<void> {
    for (const grant of this.#dirtyGrants) grant.live = Number(grant.free) + Number(grant.held) > 0;
    for (const { row, usage, grants: lots, holds: open } of this.#dirtyAccounts) {
      row.next_due_at = nextDueAt(lots.values(), open.values());
      row.usage = document(encodeUsage(usage));
    }
    const accounts = [...this.#dirtyAccounts].map(({ row }) => row);
    await this.#writeTo(this.#accountTable, on, accounts);
    await this.#writeTo(this.#grantTable, on, [...this.#dirtyGrants]);
    await this.#writeTo(this.#holdTable, on, [...this.#dirtyHolds]);
    for (const { stream, grant_id, live } of this.#dirtyGrants) if (!live) this.#forgetGrant(stream, grant_id);
    for (const { stream, hold_id, status } of this.#dirtyHolds)
      if (status !== 'open') this.#forgetHold(stream, hold_id);
    this.#clearDirty();
  }

  async #writeTo<T extends Table>(table: TableWriter<T>, on: Reader, rows: readonly RowOf<T>[]): Promise<void> {
    const added: ReadonlySet<object> = this.#added;
    await table.insert(
      on,
      rows.filter((row) => added.has(row)),
    );
    await table.change(
      on,
      rows.filter((row) => !added.has(row)),
    );
  }

  #forgetGrant(stream: string, id: string): void {
    if (this.#accounts.get(stream)?.grants.delete(id) === true) this.#kept -= 1;
  }

  #forgetHold(stream: string, id: string): void {
    if (this.#accounts.get(stream)?.holds.delete(id) === true) this.#kept -= 1;
  }

  #clearDirty(): void {
    this.#dirtyAccounts.clear();
    this.#dirtyGrants.clear();
    this.#dirtyHolds.clear();
    this.#added.clear();
  }

  #forgetAll(): void {
    this.#accounts.clear();
    this.#kept = 0;
  }
}

/** The grants, perhaps used up long ago, that an event takes credits of which are neither free nor held. */
const revivedGrants = (event: LedgerEvent): readonly string[] =>
  moves(event as AccountEvent).flatMap(({ grantId, from }) => (isSpent(from) ? [grantId] : []));

function isSpent(bucket: Bucket): boolean {
  const { counter } = buckets[bucket];
  return counter !== null && counter !== 'free' && counter !== 'held';
}

function unique(
  keys: readonly { readonly stream: string; readonly grant_id: string }[],
): { stream: string; grant_id: string }[] {
  return [...new Map(keys.map((key) => [`${key.stream} ${key.grant_id}`, key])).values()];
}

/** The soonest of: a scheduled grant becomes effective, free credits expire, a hold times out. */
export function nextDueAt(lots: Iterable<GrantRow>, open: Iterable<HoldRow>): string | null {
  let soonest: string | null = null;
  const consider = (at: string | null): void => {
    if (at !== null && (soonest === null || at < soonest)) soonest = at;
  };
  for (const lot of lots) if (Number(lot.free) > 0) consider(lot.scheduled ? lot.effective_at : lot.expires_at);
  for (const hold of open) if (hold.status === 'open') consider(hold.expires_at);
  return soonest;
}

/** Carries out a move; the money that was paid for the credits goes when they are used up and comes back with them. */
function moveCredits(grant: GrantRow, { from, to, amount, cost }: Move): void {
  const [source, target] = [buckets[from], buckets[to]];
  if (source.counter !== null) grant[source.counter] = Number(grant[source.counter]) - amount;
  if (target.counter !== null) grant[target.counter] = Number(grant[target.counter]) + amount;
  if (source.cost === 'costLeft') grant.cost_left = Number(grant.cost_left) - cost;
  if (target.cost === 'costLeft') grant.cost_left = Number(grant.cost_left) + cost;
  if (to === 'scheduled' || to === 'available') grant.scheduled = to === 'scheduled';
  assert(
    Number(grant.cost_left) >= 0 && (source.counter === null || Number(grant[source.counter]) >= 0),
    `grant ${grant.grant_id} would hold less than nothing`,
  );
}

const termOf = (grant: GrantRow | undefined): Term | null =>
  typeof grant?.term === 'string' ? (JSON.parse(grant.term) as Term) : null;

const settle = (fold: AccountFold, event: { readonly settings: Settings }, { recorded }: Projected): void => {
  const { row } = fold.account(recorded);
  const { status, burnOrder, overdraftLimit, debtPolicy, lowBalanceThreshold } = event.settings;
  row.status = status;
  row.burn_order = burnOrder;
  row.overdraft_limit = overdraftLimit;
  row.debt_policy = debtPolicy;
  row.low_balance_threshold = lowBalanceThreshold;
};

type HoldAfter = {
  readonly holdId: string;
  readonly remaining: number;
  readonly heldAllocations: readonly HeldSlice[];
  readonly expiresAt: string | null;
};

function changeHold(fold: AccountFold, recorded: RecordedEvent, after: HoldAfter): HoldRow {
  const hold = fold.hold(recorded, after.holdId);
  hold.remaining = after.remaining;
  hold.allocations = document(after.heldAllocations);
  hold.expires_at = after.expiresAt;
  return hold;
}

export const accountHandlers: Handlers<AccountFold, AccountEvent> = {
  AccountOpened: (fold, event, { recorded }) => {
    fold.open({
      stream: recorded.stream,
      ...ownerOf(recorded),
      status: 'active',
      burn_order: 'purchased-first',
      overdraft_limit: 0,
      debt_policy: 'debt',
      low_balance_threshold: null,
      available: 0,
      held: 0,
      debt: 0,
      revision: -1,
      position: recorded.position,
      next_due_at: null,
      usage: document(encodeUsage(NO_USAGE)),
      opened_at: event.at,
    });
  },
  CreditsGranted: (fold, event, { recorded }) => {
    fold.addGrant({
      stream: recorded.stream,
      grant_id: event.grantId,
      ...ownerOf(recorded),
      revision: recorded.revision,
      source: event.source,
      priority: event.priority,
      amount: event.amount,
      ...NO_CREDITS,
      scheduled: false,
      live: true,
      effective_at: event.effectiveAt,
      expires_at: event.expiresAt,
      cost_amount: event.costBasis?.amount ?? null,
      cost_currency: event.costBasis?.currency ?? null,
      cost_left: 0,
      payment_reference: event.paymentReference,
      term: event.term === undefined ? null : document(event.term),
      description: event.description,
      metadata: document(event.metadata),
      created_at: event.at,
    });
  },
  CreditsActivated: () => undefined,
  CreditsConsumed: () => undefined,
  CreditsHeld: (fold, event, { recorded }) => {
    fold.addHold({
      stream: recorded.stream,
      hold_id: event.holdId,
      ...ownerOf(recorded),
      amount: event.amount,
      remaining: event.amount,
      captured: 0,
      status: 'open',
      expires_at: event.expiresAt,
      allocations: document(event.allocations),
      resource: event.resource === undefined ? null : document(event.resource),
      scope: event.scope ?? null,
      description: event.description,
      metadata: document(event.metadata),
      created_at: event.at,
    });
  },
  HoldExtended: (fold, event, { recorded }) => {
    changeHold(fold, recorded, event);
  },
  HoldRaised: (fold, event, { recorded }) => {
    changeHold(fold, recorded, event).amount = event.heldAmount;
  },
  HoldCaptured: (fold, event, { recorded }) => {
    const hold = changeHold(fold, recorded, event);
    hold.captured = Number(hold.captured) + event.amount;
    if (event.remaining === 0) hold.status = 'captured';
  },
  HoldReleased: (fold, event, { recorded }) => {
    const hold = changeHold(fold, recorded, { ...event, remaining: 0, heldAllocations: [] });
    hold.status = event.reason;
  },
  CreditsExpired: () => undefined,
  CreditsRevoked: () => undefined,
  CreditsReinstated: () => undefined,
  ConsumptionReversed: () => undefined,
  DebtIncurred: () => undefined,
  DebtRepaid: () => undefined,
  DebtForgiven: () => undefined,
  TransferSent: () => undefined,
  TransferReceived: () => undefined,
  TransferReturned: () => undefined,
  TransferClaimed: () => undefined,
  PaymentClaimed: () => undefined,
  PeriodChanged: () => undefined,
  TrialChanged: () => undefined,
  TermsEnded: () => undefined,
  BillingRequested: () => undefined,
  BudgetSet: () => undefined,
  BudgetRemoved: () => undefined,
  BurnOrderChanged: settle,
  OverdraftLimitChanged: settle,
  DebtPolicyChanged: settle,
  LowBalanceThresholdChanged: settle,
  AccountFrozen: settle,
  AccountUnfrozen: settle,
  AccountClosed: settle,
};
