import { assert } from '#kernel/assert.js';
import { accountDecider } from '#ledger/account/account.js';
import type { AccountEvent, AccountEventOf } from '#ledger/account/events.js';
import { nextDueAt } from '#ledger/account/time.js';
import type { AccountState, Grant } from '#ledger/account/state.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { ExpectedRow, Oracle, OracleFold } from '#projecting/projection.js';
import { document } from '#database/values.js';
import { UsageOracle } from './usage-oracle.js';
import type { AccountRow, GrantRow, HoldRow } from './tables.js';
import type { Projected } from '../ledger-projection.js';

/** What the ledger's own state does not keep, because no decision needs it. */
type Annotations = Pick<GrantRow, 'description' | 'metadata' | 'created_at'>;
type HoldFacts = Annotations & {
  readonly resource: string | null;
  captured: number;
  status: string;
  amount: number;
  expires_at: string | null;
};
type Folded = {
  state: AccountState;
  readonly usage: UsageOracle;
  revision: number;
  position: string;
  openedAt: string;
  readonly grants: Map<string, Annotations>;
  readonly holds: Map<string, HoldFacts>;
};

/** Folds accounts with the ledger's `evolve`, which the projection does not use; and usage apart from both, which share it. */
export const balancesOracle: Oracle<LedgerEvent> = { keyOf: ({ stream }) => stream, fold: () => new BalancesOracle() };

class BalancesOracle implements OracleFold<LedgerEvent> {
  readonly #accounts = new Map<string, Folded>();

  add({ recorded, event }: Projected): Iterable<ExpectedRow> {
    const accountEvent = event as AccountEvent;
    const folded = this.#accounts.get(recorded.stream) ?? opened(recorded.stream, accountEvent.at);
    this.#accounts.set(recorded.stream, folded);
    folded.state = accountDecider.evolve(folded.state, accountEvent, recorded.revision);
    folded.usage.add(accountEvent, recorded.revision);
    folded.revision = recorded.revision;
    folded.position = recorded.position;
    note(folded, accountEvent);
    return [];
  }

  *rest(): Iterable<ExpectedRow> {
    for (const [stream, folded] of this.#accounts) {
      yield { table: 'account_balances', row: accountRow(stream, folded) };
      for (const grant of folded.state.grants.values()) yield { table: 'grants', row: grantRow(stream, folded, grant) };
      for (const [id, facts] of folded.holds) yield { table: 'holds', row: holdRow(stream, folded, id, facts) };
    }
  }
}

const opened = (stream: string, at: string): Folded => ({
  state: accountDecider.initial(stream),
  usage: new UsageOracle(),
  revision: -1,
  position: '0',
  openedAt: at,
  grants: new Map(),
  holds: new Map(),
});

const annotationsOf = (event: AccountEventOf<'CreditsGranted'> | AccountEventOf<'CreditsHeld'>): Annotations => ({
  description: event.description,
  metadata: document(event.metadata),
  created_at: event.at,
});

function note(folded: Folded, event: AccountEvent): void {
  switch (event.type) {
    case 'CreditsGranted':
      folded.grants.set(event.grantId, annotationsOf(event));
      return;
    case 'CreditsHeld': {
      const { amount, expiresAt } = event;
      folded.holds.set(event.holdId, {
        ...annotationsOf(event),
        amount,
        resource: event.resource === undefined ? null : document(event.resource),
        captured: 0,
        status: 'open',
        expires_at: expiresAt,
      });
      return;
    }
    case 'HoldExtended':
      holdOf(folded, event.holdId).expires_at = event.expiresAt;
      return;
    case 'HoldRaised':
      holdOf(folded, event.holdId).amount += event.amount;
      return;
    case 'HoldCaptured': {
      const hold = holdOf(folded, event.holdId);
      hold.captured += event.amount;
      if (event.remaining === 0) hold.status = 'captured';
      return;
    }
    case 'HoldReleased':
      holdOf(folded, event.holdId).status = event.reason;
      return;
    default:
  }
}

function holdOf(folded: Folded, id: string): HoldFacts {
  const hold = folded.holds.get(id);
  assert(hold !== undefined, `an event names hold ${id}, which was never placed`);
  return hold;
}

function accountRow(stream: string, { state, usage, revision, position, openedAt }: Folded): AccountRow {
  return {
    stream,
    customer_id: state.customerId,
    unit: state.unit,
    status: state.settings.status,
    burn_order: state.settings.burnOrder,
    overdraft_limit: state.settings.overdraftLimit,
    debt_policy: state.settings.debtPolicy,
    low_balance_threshold: state.settings.lowBalanceThreshold,
    ...state.balance,
    revision,
    position,
    next_due_at: nextDueAt(state),
    usage: document(usage.expected()),
    opened_at: openedAt,
  };
}

function grantRow(stream: string, { state, grants }: Folded, grant: Grant): GrantRow {
  const facts = grants.get(grant.id);
  return {
    stream,
    grant_id: grant.id,
    customer_id: state.customerId,
    unit: state.unit,
    revision: grant.revision,
    source: grant.source,
    priority: grant.priority,
    amount: grant.amount,
    scheduled: grant.scheduled,
    free: grant.free,
    held: grant.held,
    consumed: grant.consumed,
    expired: grant.expired,
    revoked: grant.revoked,
    repaid: grant.repaid,
    live: grant.free + grant.held > 0,
    effective_at: grant.effectiveAt,
    expires_at: grant.expiresAt,
    cost_amount: grant.costBasis?.amount ?? null,
    cost_currency: grant.costBasis?.currency ?? null,
    cost_left: grant.costLeft,
    payment_reference: grant.paymentReference,
    term: grant.term === null ? null : document(grant.term),
    description: facts?.description ?? null,
    metadata: facts?.metadata ?? '',
    created_at: facts?.created_at ?? '',
  };
}

function holdRow(stream: string, { state }: Folded, id: string, facts: HoldFacts): HoldRow {
  const open = state.holds.get(id);
  return {
    stream,
    hold_id: id,
    customer_id: state.customerId,
    unit: state.unit,
    amount: facts.amount,
    remaining: open?.remaining ?? 0,
    captured: facts.captured,
    status: facts.status,
    expires_at: facts.expires_at,
    allocations: document(open?.allocations ?? []),
    resource: facts.resource,
    description: facts.description,
    metadata: facts.metadata,
    created_at: facts.created_at,
  };
}
