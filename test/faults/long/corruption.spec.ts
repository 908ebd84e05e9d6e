import { execFileSync } from 'node:child_process';
import { chmod, chown, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { openEventStore } from '#event-store/event-store.module.js';
import { START, type RecordedEvent } from '#event-store/port/event-store.js';
import { eventually } from '../../support/eventually.js';
import { TcpProxy } from '../../support/processes/tcp-proxy.js';
import { World } from '../../support/worlds/world.js';
const customers = Array.from({ length: 20 }, (_, n) => `acme-${String(n)}`);

describe('a network that changes bits, with TLS to PostgreSQL', () => {
  let world: World;
  let proxy: TcpProxy;
  let env: { readonly DATABASE_URL: string };

  beforeAll(async () => {
    world = await World.start();
    await switchTlsOn(world);
    proxy = await TcpProxy.listen({ host: '127.0.0.1', port: world.postgres.port });
    env = { DATABASE_URL: `${proxy.through(world.postgres.url)}?sslmode=no-verify` };
    await Promise.all([world.startApi(env), world.startWorker(env)]);
    await Promise.all(customers.map((customer) => world.client.grant(customer, 1_000_000)));
  });

  afterAll(async () => {
    await proxy.close();
    await world.stop();
  });

  it('ends connections; no changed event is ever written, read or answered', async () => {
    const [{ encrypted } = { encrypted: 0 }] = await world.query<{ encrypted: number }>(
      `select count(*)::int as encrypted from pg_stat_ssl join pg_stat_activity using (pid)
       where ssl and application_name like 'scrip%'`,
    );
    expect(encrypted).toBeGreaterThan(0);
    const enough = new AbortController();
    const load = world.client.load(customers, 16, enough.signal);
    await sleep(500);
    const before = proxy.accepted;
    proxy.worsen({ corruption: 0.02 });
    await eventually(
      () => Promise.resolve(proxy.corrupted),
      (pieces) => pieces >= 50,
    );
    proxy.heal();
    enough.abort();
    await load;
    await world.client.settle();
    expect(proxy.accepted - before).toBeGreaterThan(20); // it was felt: TLS ended connections, others were made
    expect(world.api.running).toBe(true);
    expect(await world.violations()).toEqual([]);
    expect(await world.replayViolations()).toEqual([]);
    expect(await world.projectionViolations()).toEqual([]);
    expect(await logAt(env.DATABASE_URL)).toEqual(await logAt(world.postgres.url));
  });
});

/** The log's first events. */
async function logAt(databaseUrl: string): Promise<readonly RecordedEvent[]> {
  const store = await openEventStore({ kind: 'postgres', databaseUrl }, new SystemClock());
  const events = await store.readAll(START, 1_000);
  await store.close();
  expect(events.length).toBeGreaterThan(20);
  return events;
}

async function switchTlsOn(world: World): Promise<void> {
  const cluster = join(world.postgres.dataDir, 'cluster');
  const { uid, gid } = await stat(cluster);
  const [key, certificate] = [join(cluster, 'server.key'), join(cluster, 'server.crt')];
  const what = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
  execFileSync('openssl', ['req', ...what, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  await Promise.all([key, certificate].map((file) => chown(file, uid, gid)));
  await chmod(key, 0o600);
  await world.query('alter system set ssl = on');
  await world.query('select pg_reload_conf()');
}
