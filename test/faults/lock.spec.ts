import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { openDatabase, type Database } from '#database/database.js';
import { whileLocked } from '#database/lock.js';
import { Pooler } from '../support/databases/pooler.js';
import { freshDatabase, query, SERVER_URL } from '../support/databases/postgres.js';
import { TcpProxy } from '../support/processes/tcp-proxy.js';

const clock = new SystemClock();
const never = new AbortController().signal;
const lockSessions = `from pg_stat_activity where datname = current_database() and application_name like 'scrip lock %'`;

describe('a lock', () => {
  let url: string;
  let drop: () => Promise<void>;
  const open: Database[] = [];
  const another = (address = url): Database => {
    const db = openDatabase(address, { clock });
    open.push(db);
    return db;
  };
  beforeAll(async () => {
    ({ url, drop } = await freshDatabase());
  });
  afterEach(() => Promise.all(open.splice(0).map((db) => db.close())));
  afterAll(() => drop());

  /** Holds the lock until the returned function is called, or it is lost. */
  const hold = async (db: Database, pollMs: number | null = 20) => {
    const ending = new AbortController();
    const taken = Promise.withResolvers<AbortSignal>();
    const done = whileLocked('turn', { db, clock, pollMs }, never, async (signal) => {
      taken.resolve(signal);
      await clock.sleep(60_000, AbortSignal.any([signal, ending.signal]));
    });
    return {
      taken: taken.promise,
      done,
      end: async (): Promise<void> => {
        ending.abort();
        await done;
      },
    };
  };

  it('is held by one at a time, and passes on when the work ends', async () => {
    const first = await hold(another());
    await first.taken;
    expect(await whileLocked('turn', { db: another(), clock, pollMs: null }, never, () => Promise.resolve())).toBe(
      false,
    );
    const second = await hold(another());
    let isTaken = false;
    void second.taken.then(() => (isTaken = true));
    await clock.sleep(100);
    expect(isTaken).toBe(false);
    await first.end();
    await second.taken;
    await second.end();
  });

  it('holds no vacuum back', async () => {
    const first = await hold(another());
    await first.taken;
    expect(await query(url, `select backend_xmin, backend_xid ${lockSessions}`)).toEqual([
      { backend_xmin: null, backend_xid: null },
    ]);
    await first.end();
  });

  it('is another’s as soon as its connection is lost, and the work hears of it', async () => {
    const first = await hold(another());
    const signal = await first.taken;
    const second = await hold(another());
    await query(
      url,
      `select pg_terminate_backend(pid) from (select pid ${lockSessions} order by backend_start limit 1) first`,
    );
    await second.taken;
    await first.done;
    expect(signal.aborted).toBe(true);
    await second.end();
  });

  it('is given up by a process whose connection hangs', async () => {
    const { hostname, port } = new URL(url);
    const proxy = await TcpProxy.listen({ host: hostname, port: Number(port) });
    const first = await hold(another(proxy.through(url)));
    const signal = await first.taken;
    proxy.worsen({ blackhole: true });
    const before = Date.now();
    await first.done;
    expect([signal.aborted, Date.now() - before < 12_000]).toEqual([true, true]);
    await proxy.close();
  });

  const why = Pooler.whyNot();
  (why === null ? it : it.skip)(`belongs to nobody else behind a pooler${why === null ? '' : `: ${why}`}`, async () => {
    const pooler = await Pooler.start(process.env[SERVER_URL] ?? '');
    try {
      const pooled = pooler.urlOf(url);
      const first = await hold(another(pooled));
      await first.taken;
      // Others use and give back connections of the pooler meanwhile.
      const busy = openDatabase(pooled, { clock, directUrl: url });
      open.push(busy);
      await Promise.all(Array.from({ length: 20 }, () => busy.transaction((on) => on.query({ text: 'select 1' }))));
      expect(
        await whileLocked('turn', { db: another(pooled), clock, pollMs: null }, never, () => Promise.resolve()),
      ).toBe(false);
      await first.end();
      const second = await hold(another(pooled));
      await second.taken;
      await second.end();
    } finally {
      await Promise.all(open.splice(0).map((db) => db.close()));
      await pooler.stop();
    }
  });
});
