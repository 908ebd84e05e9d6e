import type { Json } from '#kernel/json.js';
import { LayeredMap } from '#kernel/layered-map.js';
import { observationOf, type SubscriptionStep } from '../subscription/order.js';
import type { SubscriptionSnapshot } from '../subscription/standing.js';
import type { Cell, Counts } from './counts.js';
import type { FreePlan, PlanFacts } from './plans.js';
import type { UsageState } from './state.js';

type Seen = readonly [snapshot: SubscriptionSnapshot, step: SubscriptionStep | null];
type KeptPlans = {
  readonly subscriptions: readonly (readonly [id: string, seen: readonly Seen[]])[];
  readonly freePlans: readonly FreePlan[];
};

/** What is known of plans, as plain data. */
export function encodePlans({ subscriptions, freePlans }: PlanFacts): Json {
  const kept: KeptPlans = {
    subscriptions: [...subscriptions].map(([id, observations]) => [
      id,
      observations.map(({ snapshot, step }) => [snapshot, step] as const),
    ]),
    freePlans,
  };
  return kept as unknown as Json;
}

/** The facts that `encodePlans` made plain. */
export function decodePlans(json: Json, customerId: string): PlanFacts {
  const { subscriptions, freePlans } = json as unknown as KeptPlans;
  return {
    customerId,
    subscriptions: new Map(
      subscriptions.map(([id, seen]) => [id, seen.map(([snapshot, step]) => observationOf(snapshot, step))]),
    ),
    freePlans,
  };
}

/**
 * What was used of a feature as one text, `older|seconds`, each cell as `milliseconds used`: a row of a read model has it written with
 * each of its changes.
 */
export const encodeCounts = ({ older, seconds }: Counts): string => `${cellsText(older)}|${cellsText(seconds)}`;

/** The counts that `encodeCounts` made a text of. */
export function decodeCounts(text: string): Counts {
  const [older = '', seconds = ''] = text.split('|');
  const counts = { older: cellsIn(older), seconds: cellsIn(seconds) };
  return { ...counts, total: [...counts.older, ...counts.seconds].reduce((sum, { used }) => sum + used, 0) };
}

const cellsText = (cells: readonly Cell[]): string =>
  cells.map(({ from, used }) => `${String(from)} ${String(used)}`).join(';');

const cellsIn = (text: string): readonly Cell[] =>
  text === ''
    ? []
    : text.split(';').map((cell) => {
        const [from, used] = cell.split(' ');
        return { from: Number(from), used: Number(used) };
      });

type Kept = { readonly plans: Json; readonly features: readonly (readonly [feature: string, counts: string])[] };

/** What has to be kept of a customer's usage. */
export function encodeUsage({ plans, features }: UsageState): Json {
  const kept: Kept = {
    plans: encodePlans(plans),
    features: [...features.entries()].map(([feature, counts]) => [feature, encodeCounts(counts)]),
  };
  return kept as unknown as Json;
}

/** The usage that `encodeUsage` kept. */
export function decodeUsage(json: Json, customerId: string): UsageState {
  const { plans, features } = json as unknown as Kept;
  return {
    plans: decodePlans(plans, customerId),
    features: LayeredMap.from(features.map(([feature, counts]) => [feature, decodeCounts(counts)] as const)),
  };
}
