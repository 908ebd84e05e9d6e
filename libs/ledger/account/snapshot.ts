import type { Amount } from '#kernel/amount.js';
import type { Json } from '#kernel/json.js';
import { LayeredMap } from '#kernel/layered-map.js';
import type { StreamName } from '#kernel/stream-name.js';
import { decodeBudgets, encodeBudgets, type KeptBudgets } from './budgets/snapshot.js';
import { compareForBurn } from './grants/burn-order.js';
import type { Balance, Settings } from './events.js';
import { compareDebts, compareDue, dueOf, isSpendable, timeoutOf } from './grants/lots.js';
import {
  initialAccount,
  type AccountState,
  type Debt,
  type Due,
  type Grant,
  type Hold,
  type PaymentClaims,
  type Rollover,
  type SubscriptionTerms,
  type Transfer,
} from './state.js';
import { decodeUsage, encodeUsage } from './usage.js';

/** What a snapshot keeps; all else follows from it. */
type Kept = {
  readonly opened: boolean;
  readonly settings: Settings;
  readonly balance: Balance;
  readonly lastAt: string;
  readonly granted: Amount;
  readonly grants: readonly Grant[];
  readonly holds: readonly Hold[];
  readonly debts: readonly Debt[];
  readonly transfers: readonly Transfer[];
  readonly claims: readonly (readonly [string, PaymentClaims])[];
  readonly terms: readonly (readonly [string, SubscriptionTerms])[];
  readonly rollovers: readonly (readonly [string, Rollover])[];
  readonly reversed: readonly (readonly [number, Amount])[];
  readonly budgets: KeptBudgets;
  readonly usage: Json;
};

/** Raised whenever AccountState changes its meaning: older snapshots are then not read. */
export const SNAPSHOT_VERSION = 16;

/** What has to be kept of an account: plain data, whatever becomes of the state afterwards. */
export function encodeAccount(state: AccountState): Json {
  const { opened, settings, balance, lastAt, granted } = state;
  const kept: Kept = {
    opened,
    settings,
    balance,
    lastAt,
    granted,
    grants: [...state.grants.values()],
    holds: [...state.holds.values()],
    debts: [...state.debts.values()],
    transfers: [...state.transfers.values()],
    claims: [...state.claims.entries()],
    terms: [...state.terms.entries()],
    rollovers: [...state.rollovers.entries()],
    reversed: [...state.reversed.entries()],
    budgets: encodeBudgets(state.budgets.values()),
    usage: encodeUsage(state.usage),
  };
  return kept as unknown as Json;
}

/** The account that `encodeAccount` of this version kept, with the orders that follow from it. */
export function decodeAccount(json: Json, stream: StreamName): AccountState {
  const kept = json as unknown as Kept;
  const budgets = decodeBudgets(kept.budgets);
  const dues = [...kept.grants.map(dueOf), ...kept.holds.map(timeoutOf)];
  return {
    ...initialAccount(stream),
    opened: kept.opened,
    settings: kept.settings,
    balance: kept.balance,
    lastAt: kept.lastAt,
    granted: kept.granted,
    grants: LayeredMap.from(kept.grants.map((grant) => [grant.id, grant] as const)),
    spendable: kept.grants.filter(isSpendable).sort(compareForBurn(kept.settings.burnOrder)),
    holds: LayeredMap.from(kept.holds.map((hold) => [hold.id, hold] as const)),
    debts: LayeredMap.from(kept.debts.map((debt) => [debt.id, debt] as const)),
    owed: kept.debts.filter((debt) => debt.outstanding > 0).sort(compareDebts),
    transfers: LayeredMap.from(kept.transfers.map((transfer) => [transfer.id, transfer] as const)),
    claims: LayeredMap.from(kept.claims),
    terms: LayeredMap.from(kept.terms),
    rollovers: LayeredMap.from(kept.rollovers),
    reversed: LayeredMap.from(kept.reversed),
    budgets: LayeredMap.from(budgets),
    budgetCount: budgets.length,
    usage: decodeUsage(kept.usage),
    timeline: dues.filter((due): due is Due => due !== null).sort(compareDue),
  };
}
