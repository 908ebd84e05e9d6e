import { SeededRandom } from './random.js';
import { noFaults, type FaultRates } from './faulty-store.js';

/** What the world does to itself, worked out before it starts, so that a failing run can be shrunk by leaving steps out. */
export type Step =
  | {
      readonly kind: 'command';
      readonly at: number;
      readonly name: string;
      readonly account: number;
      readonly what: What;
      readonly amount: number;
      readonly roll: number;
    }
  /** A feature of a plan is used; `twice`: asked by two at once. */
  | {
      readonly kind: 'use';
      readonly at: number;
      readonly name: string;
      readonly quantity: number;
      readonly twice: boolean;
    }
  /** The same command again, perhaps elsewhere, perhaps with another body. */
  | { readonly kind: 'again'; readonly at: number; readonly of: number; readonly otherBody: boolean }
  | { readonly kind: 'kill'; readonly at: number; readonly process: number; readonly downMs: number }
  | { readonly kind: 'outage'; readonly at: number; readonly ms: number }
  | { readonly kind: 'clock'; readonly at: number; readonly process: number; readonly skewMs: number }
  | { readonly kind: 'webhook'; readonly at: number; readonly index: number };

export const whats = [
  'grant',
  'expiring grant',
  'scheduled grant',
  'consume',
  'hold',
  'capture',
  'release',
  'reverse',
  'overdraft',
  'freeze',
  'unfreeze',
  'adjust',
  'budget',
  'transfer',
  'close',
] as const;
export type What = (typeof whats)[number];

export type Plan = {
  readonly seed: number;
  readonly knowsEveryId: boolean;
  readonly faults: FaultRates;
  /** How long a projection takes for a batch, at most. */
  readonly lagMs: number;
  readonly steps: readonly Step[];
};

export const ACCOUNTS = 3;
/** An account beside these, which only receives, and is closed at some time. */
export const LEAVING = ACCOUNTS;
export const PROCESSES = 4; // two APIs, two workers
export const ACTIVE_MS = 60_000;

const weighted: readonly What[] = [
  'grant',
  'grant',
  'expiring grant',
  'expiring grant',
  'scheduled grant',
  'consume',
  'consume',
  'consume',
  'consume',
  'consume',
  'hold',
  'hold',
  'capture',
  'release',
  'reverse',
  'reverse',
  'overdraft',
  'freeze',
  'unfreeze',
  'unfreeze',
  'adjust',
];

/** Each seed has its own mix of faults ("swarm"): some runs are calm, some have only one kind of trouble, some have all. */
export function planOf(seed: number): Plan {
  const random = new SeededRandom(seed);
  const rate = (most: number): number => (random.chance(0.5) ? 0 : random.next() * most);
  const faults = random.chance(0.1)
    ? noFaults
    : { refused: rate(0.1), lostBefore: rate(0.1), lostAfter: rate(0.15), late: rate(0.1), slow: rate(0.1) };
  const steps: Step[] = [];
  const times = (most: number, make: (at: number) => Step): void => {
    for (let left = random.between(0, most); left > 0; left -= 1) steps.push(make(random.between(0, ACTIVE_MS)));
  };
  const commands = random.between(20, 60);
  const burst = random.chance(0.3);
  for (let i = 0; i < commands; i += 1) {
    steps.push({
      kind: 'command',
      at: burst ? random.between(0, 3) * 15_000 : random.between(0, ACTIVE_MS),
      name: `c${String(i)}`,
      account: random.chance(0.5) ? 0 : random.between(0, ACCOUNTS - 1),
      what: random.pick(weighted),
      amount: random.between(1, 40),
      roll: random.next(),
    });
  }
  times(15, (at) => ({ kind: 'again', at, of: random.between(0, commands - 1), otherBody: random.chance(0.15) }));
  times(6, (at) => ({ kind: 'kill', at, process: random.between(0, PROCESSES - 1), downMs: random.between(0, 8_000) }));
  times(3, (at) => ({ kind: 'outage', at, ms: random.between(50, 6_000) }));
  times(3, (at) => ({
    kind: 'clock',
    at,
    process: random.between(0, PROCESSES - 1),
    skewMs: random.between(-10_000, 10_000),
  }));
  times(14, (at) => ({ kind: 'webhook', at, index: random.between(0, 6) }));
  steps.push(...usesOf(new SeededRandom(seed).fork(7)), ...budgetsOf(new SeededRandom(seed).fork(9)));
  steps.push(...transfersOf(new SeededRandom(seed).fork(11)));
  steps.sort((a, b) => a.at - b.at);
  return { seed, knowsEveryId: random.chance(0.5), faults, lagMs: random.chance(0.3) ? 10_000 : 30, steps };
}

/** Budgets, most of them set early. Of their own numbers, as uses are. */
function budgetsOf(random: SeededRandom): Step[] {
  return Array.from({ length: random.between(0, 6) }, (_, n) => ({
    kind: 'command' as const,
    at: random.chance(0.7) ? random.between(0, 5_000) : random.between(0, ACTIVE_MS),
    name: `b${String(n)}`,
    account: random.chance(0.7) ? 0 : random.between(0, ACCOUNTS - 1),
    what: 'budget' as const,
    amount: random.between(10, 90),
    roll: random.next(),
  }));
}

/** Credits that customers give each other, some of them to one who leaves meanwhile. Of their own numbers, as uses are. */
function transfersOf(random: SeededRandom): Step[] {
  const command = (name: string, what: What, account: number): Step => ({
    ...{ kind: 'command', name, what, account, at: random.between(0, ACTIVE_MS) },
    // Of what Stripe sold now and then so much that a refund has to follow it.
    ...{ amount: random.chance(0.5) ? random.between(1, 15) : random.between(500, 6_000), roll: random.next() },
  });
  const given = Array.from({ length: random.between(0, 12) }, (_, n) => {
    const account = random.chance(0.6) ? 0 : random.between(0, ACCOUNTS - 1);
    return command(`t${String(n)}`, 'transfer', account);
  });
  return random.chance(0.6) ? [...given, command('leave', 'close', LEAVING)] : given;
}

/** Of their own numbers, so that they change nothing of what else happens. */
function usesOf(random: SeededRandom): Step[] {
  const burst = random.chance(0.5);
  return Array.from({ length: random.between(0, 40) }, (_, n) => ({
    kind: 'use' as const,
    at: burst ? random.between(0, 2) * 20_000 : random.between(0, ACTIVE_MS),
    name: `u${String(n)}`,
    quantity: random.between(1, 6),
    twice: random.chance(0.2),
  }));
}
