import { assert } from '#kernel/assert.js';
import { accountOf } from '#kernel/stream-name.js';
import type { AccountEvent, AccountEventOf, HeldSlice, Settings } from '#ledger/account/events.js';
import type { LedgerEvent } from '#ledger/events.js';
import type { ExpectedRow, Oracle, OracleFold } from '#projecting/projection.js';
import { document } from '#database/values.js';
import { known, noteGrants, type GrantFacts } from './grants-oracle.js';
import { UsageOracle } from './usage-oracle.js';
import type { AccountRow, GrantRow, HoldRow } from './tables.js';
import type { Projected } from '../ledger-projection.js';

type HoldFacts = {
  readonly placed: AccountEventOf<'CreditsHeld'>;
  amount: number;
  captured: number;
  status: string;
  expiresAt: string | null;
  open: readonly HeldSlice[];
};
type Folded = {
  readonly usage: UsageOracle;
  readonly openedAt: string;
  readonly grants: Map<string, GrantFacts>;
  readonly holds: Map<string, HoldFacts>;
  settings: Settings | null;
  balance: AccountEvent['balance'];
  revision: number;
  position: string;
};

/**
 * Sums up what each kind of event used of a grant, less what it gave back; the ledger and the projection move credits from place to
 * place by a table that they share. Counts usage apart from both, too.
 */
export const balancesOracle: Oracle<LedgerEvent> = { keyOf: ({ stream }) => stream, fold: () => new BalancesOracle() };

class BalancesOracle implements OracleFold<LedgerEvent> {
  readonly #accounts = new Map<string, Folded>();

  add({ recorded, event }: Projected): Iterable<ExpectedRow> {
    const accountEvent = event as AccountEvent;
    const { at, balance } = accountEvent;
    const folded = this.#accounts.get(recorded.stream) ?? opened(at, balance);
    this.#accounts.set(recorded.stream, folded);
    folded.usage.add(accountEvent, recorded.revision);
    folded.revision = recorded.revision;
    folded.position = recorded.position;
    folded.balance = balance;
    if ('settings' in accountEvent) folded.settings = accountEvent.settings;
    noteGrants(folded.grants, accountEvent, recorded.revision);
    noteHolds(folded, accountEvent);
    return [];
  }

  *rest(): Iterable<ExpectedRow> {
    for (const [stream, folded] of this.#accounts) {
      yield { table: 'account_balances', row: accountRow(stream, folded) };
      for (const grant of folded.grants.values()) yield { table: 'grants', row: grantRow(stream, grant) };
      for (const hold of folded.holds.values()) yield { table: 'holds', row: holdRow(stream, hold) };
    }
  }
}

const opened = (openedAt: string, balance: AccountEvent['balance']): Folded => ({
  usage: new UsageOracle(),
  openedAt,
  grants: new Map(),
  holds: new Map(),
  settings: null,
  balance,
  revision: -1,
  position: '0',
});

function noteHolds({ holds }: Folded, event: AccountEvent): void {
  switch (event.type) {
    case 'CreditsHeld': {
      const { amount, allocations: open, expiresAt } = event;
      holds.set(event.holdId, { placed: event, amount, captured: 0, status: 'open', expiresAt, open });
      return;
    }
    case 'HoldExtended':
      known(holds, event.holdId).expiresAt = event.expiresAt;
      return;
    case 'HoldRaised': {
      const hold = known(holds, event.holdId);
      hold.amount += event.amount;
      hold.open = withMore(hold.open, event.allocations);
      return;
    }
    case 'HoldCaptured': {
      const hold = known(holds, event.holdId);
      hold.captured += event.amount;
      hold.open = withoutFirst(hold.open, event.amount);
      if (hold.captured === hold.amount) hold.status = 'captured';
      return;
    }
    case 'HoldReleased': {
      const hold = known(holds, event.holdId);
      hold.open = [];
      hold.status = event.reason;
      return;
    }
    default:
  }
}

/** A hold's slices are captured in their order. */
const withoutFirst = (slices: readonly HeldSlice[], amount: number): readonly HeldSlice[] => {
  let captured = amount;
  return slices.flatMap((slice) => {
    const part = Math.min(captured, slice.amount);
    captured -= part;
    return part === slice.amount ? [] : [{ ...slice, amount: slice.amount - part }];
  });
};

/** A hold that is raised pins more of each grant, new grants last. */
const withMore = (slices: readonly HeldSlice[], added: readonly HeldSlice[]): readonly HeldSlice[] => {
  const all = slices.map((slice) => ({ ...slice }));
  for (const slice of added) {
    const same = all.find(({ grantId }) => grantId === slice.grantId);
    if (same === undefined) all.push({ ...slice });
    else same.amount += slice.amount;
  }
  return all;
};

const freeOf = ({ granted, used }: GrantFacts): number =>
  Object.values(used).reduce((left, amount) => left - amount, granted.amount);

/** When something of the account changes by itself. */
function nextDueAt({ grants, holds }: Folded): string | null {
  const dues: readonly (string | null)[] = [
    ...[...grants.values()]
      .filter((grant) => freeOf(grant) > 0)
      .map(({ scheduled, granted }) => (scheduled ? granted.effectiveAt : granted.expiresAt)),
    ...[...holds.values()].filter(({ status }) => status === 'open').map(({ expiresAt }) => expiresAt),
  ];
  return dues.filter((at) => at !== null).sort()[0] ?? null;
}

const ownerOf = (stream: string): { readonly customer_id: string; readonly unit: string } => {
  const account = accountOf(stream);
  assert(account !== null, `${stream} is not an account's stream`);
  return { customer_id: account.customerId, unit: account.unit };
};

function accountRow(stream: string, folded: Folded): AccountRow {
  const { settings, usage, balance, revision, position, openedAt } = folded;
  return {
    stream,
    ...ownerOf(stream),
    status: settings?.status ?? 'active',
    burn_order: settings?.burnOrder ?? 'purchased-first',
    overdraft_limit: settings?.overdraftLimit ?? 0,
    debt_policy: settings?.debtPolicy ?? 'debt',
    low_balance_threshold: settings?.lowBalanceThreshold ?? null,
    ...balance,
    revision,
    position,
    next_due_at: nextDueAt(folded),
    usage: document(usage.expected()),
    opened_at: openedAt,
  };
}

const annotationsOf = ({
  description,
  metadata,
  at,
}: AccountEventOf<'CreditsGranted'> | AccountEventOf<'CreditsHeld'>): Pick<
  GrantRow,
  'description' | 'metadata' | 'created_at'
> => ({ description, metadata: document(metadata), created_at: at });

function grantRow(stream: string, facts: GrantFacts): GrantRow {
  const { granted, revision, used, costUsed, scheduled } = facts;
  const free = freeOf(facts);
  return {
    stream,
    grant_id: granted.grantId,
    ...ownerOf(stream),
    revision,
    source: granted.source,
    priority: granted.priority,
    amount: granted.amount,
    scheduled,
    free,
    ...used,
    live: free + used.held > 0,
    effective_at: granted.effectiveAt,
    expires_at: granted.expiresAt,
    cost_amount: granted.costBasis?.amount ?? null,
    cost_currency: granted.costBasis?.currency ?? null,
    cost_left: (granted.costBasis?.amount ?? 0) - costUsed,
    payment_reference: granted.paymentReference,
    term: granted.term === undefined ? null : document(granted.term),
    ...annotationsOf(granted),
  };
}

const holdRow = (stream: string, { placed, amount, captured, status, expiresAt, open }: HoldFacts): HoldRow => ({
  stream,
  hold_id: placed.holdId,
  ...ownerOf(stream),
  amount,
  remaining: open.reduce((sum, { amount }) => sum + amount, 0),
  captured,
  status,
  expires_at: expiresAt,
  allocations: document(open),
  resource: placed.resource === undefined ? null : document(placed.resource),
  scope: placed.scope ?? null,
  ...annotationsOf(placed),
});
