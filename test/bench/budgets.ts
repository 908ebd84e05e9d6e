import type { NodeProcess } from '../support/processes/node-process.js';
import { apiKey, type Bench, type Figure, type Measured } from './bench.js';
import { grantAll, hot, scripRound } from './consume.js';
import { median } from './histogram.js';

const connections = 64;
const credits = 1_000_000_000;
const LEAVES = 10_000;
const at = (n: number, of: number): string => String(n % of);

/** Five levels below `org`. */
const scopeOf = (n: number): string =>
  `team:t${at(n, 10)}/member:m${at(n, 100)}/key:k${at(n, 500)}/agent:a${at(n, 2_000)}/run:r${at(n, LEAVES)}`;

/** Consumptions that budgets on six levels have to allow, from one account with 10,000 leaves, against plain ones in the same run. */
export async function budgets(bench: Bench): Promise<readonly Figure[]> {
  const url = await bench.scripDatabase();
  const scrip = await bench.api(url);
  const rounds: { checked: Measured; plain: Measured }[] = [];
  for (let round = 0; round < bench.effort.rounds; round += 1) {
    rounds.push({
      checked: await checkedRound(bench, scrip, `b${String(round)}-`),
      plain: await scripRound(bench, scrip, hot, `r${String(round)}-`),
    });
  }
  await scrip.stop();
  const of = (which: 'checked' | 'plain', value: (result: Measured) => number): number =>
    median(rounds.map((round) => value(round[which])));
  const summary = (which: 'checked' | 'plain'): object => ({
    perSecond: Math.round(of(which, (result) => result.perSecond)),
    rounds: rounds.map((round) => Math.round(round[which].perSecond)),
    p99: of(which, (result) => result.latency.p99),
    serverMicros: of(which, (result) => result.serverMicros),
    postgresMicros: of(which, (result) => result.postgresMicros),
    statuses: rounds.map((round) => round[which].statuses),
  });
  return [
    {
      name: 'budgets-hot',
      value: of('checked', (result) => result.perSecond) / of('plain', (result) => result.perSecond),
      unit: '× plain consumptions',
      bar: { atLeast: 0.7 },
      detail: { checked: summary('checked'), plain: summary('plain') },
    },
  ];
}

async function checkedRound(bench: Bench, server: NodeProcess, customerPrefix: string): Promise<Measured> {
  await grantAll(server, customerPrefix, 1, credits);
  const leaves = Array.from({ length: LEAVES }, (_, n) => scopeOf(n));
  await setBudgets(server, `${customerPrefix}0`, leaves);
  const requests = {
    ...{ kind: 'consume' as const, customerPrefix, customers: 1, keyPrefix: customerPrefix, scopes: leaves },
  };
  return bench.run(server, { requests, connections, loop: { kind: 'closed' } });
}

/** A budget for each leaf and all scopes above it, by the week and by the day, none of which is used up. */
async function setBudgets(server: NodeProcess, customer: string, leaves: readonly string[]): Promise<void> {
  const scopes = new Set(['org']);
  for (const leaf of leaves) {
    const segments = leaf.split('/');
    for (let depth = 1; depth <= segments.length; depth += 1) scopes.add(segments.slice(0, depth).join('/'));
  }
  const waiting = [...scopes];
  const set = async (): Promise<void> => {
    for (let scope = waiting.pop(); scope !== undefined; scope = waiting.pop()) {
      const window = scope.includes('/') ? 'day' : 'week';
      const response = await fetch(`${server.url}/v1/customers/${customer}/budgets/${encodeURIComponent(scope)}`, {
        method: 'PUT',
        headers: {
          authorization: `Bearer ${apiKey}`,
          'content-type': 'application/json',
          'idempotency-key': `budget ${scope}`,
        },
        body: JSON.stringify({ limit: credits, window, timeZone: 'Europe/Berlin' }),
      });
      if (response.status !== 200) throw new Error(`a budget was answered ${await response.text()}`);
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: 32 }, set));
}
