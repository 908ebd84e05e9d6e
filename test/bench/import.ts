import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { peakMemoryOf } from '../support/processes/figures.js';
import type { Bench, Figure } from './bench.js';

const lotsOfEach = 10;
/** A million lots in ten minutes. */
const slowest = { atLeast: 1_000_000 / 600 };
const largest = { atMost: 500 };

type Run = { readonly perSecond: number; readonly megabytes: number; readonly summary: Record<string, unknown> };

/** `--events` lots of a tenth as many customers from a CSV file, no two of a customer together; then the same again, which changes nothing. */
export async function importing(bench: Bench): Promise<readonly Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'scrip-bench-import-'));
  try {
    const file = join(directory, 'lots.csv');
    const lots = Math.max(lotsOfEach, Math.round(bench.effort.events));
    await writeLots(file, lots);
    const url = await bench.scripDatabase();
    const first = await run(url, file, lots);
    const again = await run(url, file, lots);
    const figures = (name: string, { perSecond, megabytes, summary }: Run): Figure[] => [
      { name, value: perSecond, unit: 'lots/s', bar: slowest, detail: { lots, ...summary } },
      { name: `${name} memory`, value: megabytes, unit: 'MB', bar: largest, detail: {} },
    ];
    return [...figures('import', first), ...figures('import again', again)];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function writeLots(file: string, lots: number): Promise<void> {
  const customers = Math.ceil(lots / lotsOfEach);
  const target = createWriteStream(file);
  target.write('customer_id,name,email,amount,expires_at,priority,cost_amount,cost_currency,external_id\n');
  for (let n = 0; n < lots; n += 1) {
    const customer = String((n * 7919) % customers);
    const ends = n % 2 === 0 ? '2099-01-01T00:00:00Z' : '';
    const cost = n % 3 === 0 ? `${String(n + 1)},usd` : ',';
    const row = `c-${customer},Name ${customer},${customer}@bench.test,${String(n + 1)},${ends},${String(n % 100)},${cost},l-${String(n)}\n`;
    if (!target.write(row)) await once(target, 'drain');
  }
  target.end();
  await finished(target);
}

async function run(databaseUrl: string, file: string, lots: number): Promise<Run> {
  const { PATH = '' } = process.env;
  const begin = performance.now();
  const child = spawn(process.execPath, ['scrip.js', 'import', 'csv', file, '--apply', '--report', `${file}.report`], {
    env: { PATH, DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const output: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => output.push(part));
  let megabytes = 0;
  const ended = once(child, 'close').then(([code]) => code as number | null);
  let code: number | null | 'runs' = 'runs';
  for (; code === 'runs'; code = await Promise.race([ended, sleep(500, 'runs' as const)])) {
    const bytes = await peakMemoryOf(child.pid ?? 0).catch(() => 0);
    megabytes = Math.max(megabytes, bytes);
  }
  if (code !== 0) throw new Error(`the import ended with ${String(code)}: ${Buffer.concat(output).toString()}`);
  const seconds = (performance.now() - begin) / 1000;
  const text = Buffer.concat(output).toString();
  if (!text.includes(`${lots.toLocaleString('en')} lots equal`)) throw new Error(`not all was imported: ${text}`);
  return { perSecond: lots / seconds, megabytes, summary: { seconds } };
}
