import { hash } from 'node:crypto';
import { isAmount } from '#kernel/amount.js';
import { instantOf, parseInstant, type Instant } from '#kernel/instant.js';
import { canonicalJson } from '#kernel/json.js';
import { catalogStream, isCustomerId, usageStream } from '#kernel/stream-name.js';
import { NO_COUNTS } from '#ledger/usage/counts.js';
import { entitlementsAt } from '#ledger/usage/entitlements.js';
import type { LimitUse } from '#ledger/usage/limits.js';
import { offerOf } from '#ledger/usage/offers.js';
import type { UsageRefusal } from '#ledger/usage/usage.js';
import { WrongUse, type Call, type Command, type ExitCode } from '../terminal/command.js';
import { table } from '../terminal/output.js';

type Use = {
  readonly feature: string;
  readonly quantity: number;
  readonly usedAt: Instant | null;
  readonly limitCheck: boolean;
};

async function record(
  { environment, output }: Call,
  customerId: string,
  use: Use,
  key: string | null,
): Promise<ExitCode> {
  const { catalog, usage } = await environment.ledger();
  const outcome = await usage.execute({
    stream: usageStream(customerId),
    command: {
      type: 'RecordUsage',
      ...use,
      offer: offerOf((await catalog.load(catalogStream)).state, use.feature),
      graceDays: environment.config.stripe.gracePeriodDays,
      description: null,
      metadata: {},
    },
    key,
    origin: 'cli',
    fingerprint: key === null ? null : hash('sha256', canonicalJson(use), 'hex').slice(0, 32),
    actor: 'cli',
    causationId: null,
    correlationId: 'cli',
  });
  if (outcome.kind === 'refused') {
    output.progress(`not recorded: ${sentenceOf(outcome.refusal)}`);
    return 1;
  }
  const event = outcome.kind === 'recorded' ? outcome.events.at(-1)?.event : undefined;
  if (event?.type !== 'UsageRecorded') {
    const unknown = outcome.kind === 'outcome_unknown' && key === null;
    output.progress(
      `it ended with ${outcome.kind}; ${unknown ? 'look at the summary before you repeat it' : 'try it again'}`,
    );
    return 1;
  }
  const { usageId: id, feature, quantity, usedAt: at, limits } = event;
  const replayed = outcome.kind === 'recorded' && outcome.replayed;
  await output.answer({ id, customerId, feature, quantity, at, limits, replayed }, () =>
    [
      `${id}: ${String(quantity)} ${feature} at ${at}${replayed ? ', recorded before' : ''}`,
      limitsTable(feature, limits),
    ].join('\n'),
  );
  return 0;
}

function sentenceOf(refusal: UsageRefusal): string {
  switch (refusal.rejected) {
    case 'usage_limit_exceeded':
      return `${String(refusal.used)} of ${String(refusal.limit)} ${refusal.feature} are used in this ${refusal.window}, which ends at ${refusal.windowEnd}`;
    case 'feature_not_in_plan':
      return `the customer's plan does not have ${refusal.feature}`;
    case 'feature_unknown':
      return 'no plan of the catalogue has such a feature';
    case 'usage_time_out_of_range':
      return '--at must be at most 35 days ago, and not in the future';
    case 'usage_out_of_range':
      return 'more was used than can be counted';
  }
}

const rowOf = (feature: string, { window, used, limit, windowStart, windowEnd }: LimitUse): readonly string[] => [
  ...[feature, window, String(used), String(limit), windowStart, windowEnd],
];
const headings = ['feature', 'window', 'used', 'limit', 'from', 'until'];
const limitsTable = (feature: string, limits: readonly LimitUse[]): string =>
  limits.length === 0
    ? 'no limits'
    : table(
        headings,
        limits.map((limit) => rowOf(feature, limit)),
      );

async function summary({ environment, output }: Call, customerId: string): Promise<ExitCode> {
  const { catalog, usage } = await environment.ledger();
  const { plans, features } = (await usage.load(usageStream(customerId))).state;
  const at = instantOf(environment.clock.now());
  const facts = {
    plans,
    countsOf: (feature: string) => features.get(feature) ?? NO_COUNTS,
    catalog: (await catalog.load(catalogStream)).state,
    graceDays: environment.config.stripe.gracePeriodDays,
  };
  const entitlements = entitlementsAt(facts, at);
  await output.answer({ customerId, at, ...entitlements }, ({ plan, features: named, limits }) =>
    plan === null
      ? `${customerId} has no plan`
      : [
          `${customerId} is on ${plan.name} (${plan.status}): ${named.join(', ')}`,
          table(
            headings,
            limits.map((limit) => rowOf(limit.feature, limit)),
          ),
        ].join('\n'),
  );
  return 0;
}

function customerIn(call: Call): string {
  const customerId = call.required('customer');
  if (!isCustomerId(customerId)) throw new WrongUse('--customer is not a customer id');
  return customerId;
}

function useIn(call: Call): Use {
  const quantity = Number(call.text('quantity') ?? '1');
  if (!isAmount(quantity) || quantity < 1) throw new WrongUse('--quantity must be a whole number from 1');
  const time = call.text('at');
  const usedAt = time === null ? null : parseInstant(time);
  if (time !== null && usedAt === null) throw new WrongUse('--at must be a time such as 2026-11-21T08:00:00Z');
  return { feature: call.required('feature'), quantity, usedAt, limitCheck: !call.flag('no-limit-check') };
}

const ofCustomer = { name: 'customer', value: 'ID', help: 'who' } as const;

export const usageCommands: readonly Command[] = [
  {
    name: 'usage record',
    summary: 'Record the use of a feature of a plan (exit 1 when it is refused)',
    options: [
      ofCustomer,
      { name: 'feature', value: 'NAME', help: 'what was used' },
      { name: 'quantity', value: 'N', help: 'how often (default 1)' },
      { name: 'at', value: 'TIME', help: 'when, at most 35 days ago (default now)' },
      { name: 'key', value: 'KEY', help: 'the same key counts once; without one each call counts' },
      { name: 'no-limit-check', value: null, help: 'record it beyond a limit, too' },
    ],
    run: (call) => record(call, customerIn(call), useIn(call), call.text('key')),
  },
  {
    name: 'usage summary',
    summary: "A customer's plan, its features, and what is used of its limits, from the log",
    options: [ofCustomer],
    run: (call) => summary(call, customerIn(call)),
  },
];
