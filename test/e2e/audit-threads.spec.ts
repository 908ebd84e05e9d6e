import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { openEventStore } from '#event-store/event-store.module.js';
import { runCli } from '../support/cli-process.js';
import { LedgerWriter } from '../support/ledger-writer.js';
import { freshDatabase, query } from '../support/postgres.js';
import { consume, grant } from '../support/account-commands.js';

const accounts = 100;
const each = 520;
/** A log that is long enough to be audited on threads; the position of its last event. */
async function writeLongLog(url: string): Promise<number> {
  const store = await openEventStore({ kind: 'postgres', databaseUrl: url }, new SystemClock());
  const writer = new LedgerWriter(store);
  const at = '2026-01-01T00:00:00.000Z';
  for (let n = 0; n < accounts; n += 1) {
    const stream = `account-c${String(n)}`;
    writer.decide(stream, grant(10_000), at);
    for (let k = 0; k < each; k += 1) writer.decide(stream, consume(1), at);
    await writer.flush();
  }
  const head = await store.head();
  await store.close();
  return Number(head);
}

it('scrip audits a long log on threads, and names what is wrong with it as ever', async () => {
  const { url, drop } = await freshDatabase();
  const head = await writeLongLog(url);
  expect(head).toBeGreaterThan(50_000);
  const seen = new Set<unknown>();
  const verify = runCli(['audit', 'verify', '--log-only', '--json'], { DATABASE_URL: url });
  const watching = setInterval(() => {
    void query(url, 'select application_name from pg_stat_activity where datname = current_database()').then((rows) => {
      for (const row of rows) seen.add(row['application_name']);
    });
  }, 30);
  const { code, stdout } = await verify;
  clearInterval(watching);
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, log: { events: head, accounts, findingsTotal: 0 } });
  expect(code).toBe(0);
  if (availableParallelism() > 1) expect([...seen]).toContain('scrip-log-shares');

  await query(
    url,
    `update scrip_log.events set data = replace(data, '"amount":1', '"amount":2') where position = 40000`,
  );
  const tampered = await runCli(['audit', 'verify', '--log-only'], { DATABASE_URL: url });
  expect(tampered.code).toBe(1);
  expect(tampered.stdout).toMatch(/The first bad event: position 40000, stream account-c\d+, revision \d+: the hash/);
  await drop();
});

it('loads no client of a database in the threads of an audit, which would take a third of their memory', async () => {
  const program = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    await import(process.argv[1]);
    console.log(JSON.stringify(loaded));`;
  const share = new URL('../../dist/apps/cli/share-audit.js', import.meta.url).href;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program, share]);
  const loaded = JSON.parse(stdout) as readonly string[];
  expect(loaded).toContain(share);
  expect(loaded.filter((url) => /\/node_modules\/(pg|kysely)\//.test(url))).toEqual([]);
});
