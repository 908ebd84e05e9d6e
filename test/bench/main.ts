import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { asOf } from './past/as-of.js';
import { balanceRead, lag } from './balance-reads.js';
import { Bench, type Benchmark, type Figure } from './bench.js';
import { consumeHot, consumeSpread } from './consume.js';
import { budgets } from './budgets.js';
import { consumeBulk } from './bulk.js';
import { eventStoreDb } from './eventstoredb.js';
import { explanation } from './past/explanation.js';
import { growth } from './growth.js';
import { importing } from './import.js';
import { describeMachine } from './machine.js';
import { stripeLives } from './stripe-lives.js';
import { entitlementCheck, usage } from './usage.js';
import { webhook } from './webhook.js';
import { catchUp, verify } from './whole-log.js';
import { writePath } from './write-path.js';

const benchmarks: Readonly<Record<string, Benchmark>> = {
  'consume-spread': consumeSpread,
  'consume-hot': consumeHot,
  'consume-bulk': consumeBulk,
  'catch-up': catchUp,
  lag,
  'balance-read': balanceRead,
  'as-of': asOf,
  explanation,
  usage,
  budgets,
  'entitlement-check': entitlementCheck,
  webhook,
  'stripe-lives': stripeLives,
  verify,
  growth,
  import: importing,
  eventstoredb: eventStoreDb,
  'write-path': writePath,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    'warm-up': { type: 'string', default: '3' },
    events: { type: 'string', default: '1000000' },
    'lag-seconds': { type: 'string', default: '60' },
    lives: { type: 'string', default: '10000' },
    profile: { type: 'string' },
  },
});
const unknown = positionals.filter((name) => !(name in benchmarks));
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}. There are: ${Object.keys(benchmarks).join(', ')}.`);
  process.exit(2);
}

const bench = await Bench.start({
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  warmUpSeconds: Number(values['warm-up']),
  events: Number(values.events),
  lagSeconds: Number(values['lag-seconds']),
  lives: Number(values.lives),
  profile: values.profile ?? null,
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void bench.stop().finally(() => process.exit(1)));
}
try {
  const machine = await describeMachine(bench.pool);
  console.log(JSON.stringify(machine, null, 2));
  const figures: Figure[] = [];
  for (const name of positionals.length > 0 ? positionals : Object.keys(benchmarks)) {
    const found = await benchmarks[name]!(bench);
    figures.push(...found);
    for (const figure of found) {
      console.log(line(figure));
      if (Object.keys(figure.detail).length > 0) console.log(JSON.stringify(figure.detail, null, 2));
    }
  }
  console.log(['', ...figures.map(line)].join('\n'));
  if (values.json !== undefined)
    await writeFile(values.json, JSON.stringify({ machine, effort: bench.effort, figures }, null, 2));
} finally {
  await bench.stop();
}

function line({ name, value, unit, bar }: Figure): string {
  const shown = `${name.padEnd(28)} ${value.toFixed(value < 100 ? 2 : 0).padStart(10)} ${unit}`;
  if (bar === null) return shown;
  const reached = 'atLeast' in bar ? value >= bar.atLeast : value <= bar.atMost;
  const asked = 'atLeast' in bar ? `≥ ${String(bar.atLeast)}` : `≤ ${String(bar.atMost)}`;
  return `${shown.padEnd(70)} ${asked.padEnd(12)} ${reached ? 'reached' : 'NOT REACHED'}`;
}
