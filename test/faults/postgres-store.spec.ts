import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { SystemClock } from '#config/system-clock.js';
import { PostgresEventStore, type PostgresLimits } from '#event-store/postgres/store.js';
import {
  OutcomeUnknown,
  START,
  StoreOverloaded,
  StoreUnavailable,
  positionOf,
  type AppendRequest,
} from '#event-store/port/event-store.js';
import { appendBy } from '../support/ledger/append-by.js';
import { eventually } from '../support/eventually.js';
import { CrashablePostgres, freshDatabase, query } from '../support/databases/postgres.js';
import { collect, newStream, readToEnd, sampleAppend, sampleEvents } from '../support/ledger/sample-events.js';
const lockTheLog = 'select pg_advisory_xact_lock(1396920656, 1)';
const killWriters = `select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and application_name = 'scrip-log-writer'`;

type Attempt = { readonly request: AppendRequest; outcome: 'appended' | 'unknown' | 'unavailable' };

/** Writers that append one event after the other, settle unknown outcomes by repeating, and note what was acknowledged. */
class Load {
  readonly attempts: Attempt[] = [];
  readonly acknowledged = new Map<string, string>();
  #stopped = false;
  readonly #writers: Promise<void>[];

  constructor(stores: readonly PostgresEventStore[], writers: number) {
    this.#writers = Array.from({ length: writers }, (_none, index) =>
      this.#write(stores[index % stores.length]!, newStream()),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#writers);
  }

  count(outcome: Attempt['outcome']): number {
    return this.attempts.filter((attempt) => attempt.outcome === outcome).length;
  }

  async #write(store: PostgresEventStore, stream: string): Promise<void> {
    for (let next = 0; !this.#stopped;) {
      const request = sampleAppend(stream, next, 1 + (next % 3));
      while (!(await this.#attempt(store, request))) await sleep(20);
      next += request.events.length;
    }
  }

  /** True when the append is settled: identical repeats must find the first try, whatever became of it. */
  async #attempt(store: PostgresEventStore, request: AppendRequest): Promise<boolean> {
    try {
      const result = await store.append(request);
      if (result.kind !== 'appended') throw new Error(`unexpected ${JSON.stringify(result)}`);
      this.attempts.push({ request, outcome: 'appended' });
      const first = Number(result.position) - request.events.length + 1;
      for (const [index, event] of request.events.entries()) this.acknowledged.set(event.id, positionOf(first + index));
      return true;
    } catch (error) {
      if (!(error instanceof OutcomeUnknown) && !(error instanceof StoreUnavailable)) throw error;
      this.attempts.push({ request, outcome: error instanceof OutcomeUnknown ? 'unknown' : 'unavailable' });
      return false;
    }
  }
}

/** Positions and revisions without a gap, and each acknowledged event exactly once at its acknowledged place. */
async function expectSound(store: PostgresEventStore, load: Load): Promise<void> {
  const events = await readToEnd(store, START, 1_000);
  expect(events.map(({ position }) => position)).toEqual(events.map((_event, index) => positionOf(index + 1)));
  const next = new Map<string, number>();
  for (const { stream, revision } of events) {
    expect(revision).toBe(next.get(stream) ?? 0);
    next.set(stream, revision + 1);
  }
  expect(new Map(events.map(({ id, position }) => [id, position]))).toEqual(load.acknowledged);
  expect(events).toHaveLength(load.acknowledged.size);
}

const opened: PostgresEventStore[] = [];
const loads: Load[] = [];
async function open(url: string, limits: Partial<PostgresLimits> = {}): Promise<PostgresEventStore> {
  const store = new PostgresEventStore(url, new SystemClock(), limits);
  await store.migrate();
  opened.push(store);
  return store;
}
function startLoad(stores: readonly PostgresEventStore[], writers: number): Load {
  const load = new Load(stores, writers);
  loads.push(load);
  return load;
}
afterEach(async () => {
  await Promise.all(loads.splice(0).map((load) => load.stop()));
  await Promise.all(opened.splice(0).map((store) => store.close()));
});

describe('the PostgreSQL store on a healthy server', () => {
  let url = '';
  let drop = (): Promise<void> => Promise.resolve();
  beforeAll(async () => {
    ({ url, drop } = await freshDatabase());
  });
  afterAll(async () => {
    await drop();
  });

  test('makes its schema once when several processes start together', async () => {
    const database = await freshDatabase();
    const stores = Array.from({ length: 6 }, () => new PostgresEventStore(database.url, new SystemClock()));
    await Promise.all(stores.map((store) => store.migrate()));
    expect(await query(database.url, 'select name from scrip_log.migrations')).toEqual([{ name: '001-initial' }]);
    await Promise.all(stores.map((store) => store.close()));
    await database.drop();
  });

  test('two processes that race on the same streams leave contiguous positions and revisions', async () => {
    const stores = [await open(url), await open(url)];
    const streams = Array.from({ length: 5 }, () => newStream());
    let conflicts = 0;
    const write = async (store: PostgresEventStore, stream: string): Promise<void> => {
      let next = 0;
      for (let stored = 0; stored < 40;) {
        const result = await store.append(sampleAppend(stream, next, 2));
        if (result.kind === 'conflict') {
          conflicts += 1;
          next = result.actualRevision + 1;
        } else {
          stored += 1;
          next += 2;
        }
      }
    };
    await Promise.all(stores.flatMap((store) => streams.map((stream) => write(store, stream))));
    expect(conflicts).toBeGreaterThan(0);
    const events = await readToEnd(stores[0]!, START, 1_000);
    expect(events.map(({ position }) => position)).toEqual(events.map((_event, index) => positionOf(index + 1)));
    for (const stream of streams) {
      const revisions = events.filter((event) => event.stream === stream).map(({ revision }) => revision);
      expect(revisions).toEqual(Array.from({ length: 160 }, (_none, index) => index));
    }
  });

  test('a stream of its own that another process has written is a conflict, whatever was stored since', async () => {
    const [store, other] = [await open(url), await open(url)];
    const [taken, later, gap] = [newStream(), newStream(), newStream()];
    for (const stream of [taken, later, gap]) await store.append(sampleAppend(stream));
    for (const stream of [later, taken]) await other.append(sampleAppend(stream, 1));
    expect(await store.append(sampleAppend(taken, 1))).toEqual({ kind: 'conflict', actualRevision: 1 });
    expect(await store.append(sampleAppend(newStream()))).toMatchObject({ kind: 'appended' });
    expect(await store.append(sampleAppend(later, 1))).toEqual({ kind: 'conflict', actualRevision: 1 });
    expect(await store.append(sampleAppend(gap, 2))).toEqual({ kind: 'conflict', actualRevision: 0 });
    expect(await store.append(sampleAppend(gap, 1))).toMatchObject({ kind: 'appended' });
  });

  test('a log that was set back while it was away is met as it stands now, also when it has as many events again', async () => {
    const database = await freshDatabase();
    const [store, other] = [await open(database.url), await open(database.url)];
    const stream = newStream();
    const setBack = (): Promise<unknown> => query(database.url, 'delete from scrip_log.events where position > 1');
    await store.append(sampleAppend(stream));
    await store.append(sampleAppend(stream, 1));
    await setBack();
    expect(await store.append(sampleAppend(stream, 2))).toEqual({ kind: 'conflict', actualRevision: 0 });
    await store.append(sampleAppend(stream, 1));
    await setBack();
    await other.append(sampleAppend(newStream()));
    expect(await store.append(sampleAppend(stream, 2))).toEqual({ kind: 'conflict', actualRevision: 0 });
    await Promise.all([store.close(), other.close()]);
    await database.drop();
  });

  test('looks up no stream that it knows while it alone writes, and all of them after somebody else has written', async () => {
    const database = await freshDatabase();
    const [store, other] = [await open(database.url), await open(database.url)];
    const streams = Array.from({ length: 20 }, () => newStream());
    const append = async (first: number): Promise<void> => {
      const results = await Promise.all(streams.map((stream) => store.append(sampleAppend(stream, first))));
      expect(results.map(({ kind }) => kind)).toEqual(streams.map(() => 'appended'));
    };
    await append(0);
    await append(1);
    await other.append(sampleAppend(newStream()));
    await append(2);
    await append(3);
    await Promise.all([store.close(), other.close()]); // a session that ends tells what it has counted
    const [newOnes, others, afterOther] = [streams.length, 1, streams.length];
    await eventually(
      () => query(database.url, "select idx_scan from pg_stat_user_indexes where indexrelname = 'events_by_stream'"),
      ([row]) => Number(row?.['idx_scan']) === newOnes + others + afterOther,
    );
    await database.drop();
  });

  test('stores appends to one stream that were sent without waiting, in their order', async () => {
    const store = await open(url);
    const stream = newStream();
    const results = await Promise.all(
      Array.from({ length: 50 }, (_none, index) => store.append(sampleAppend(stream, index * 2, 2))),
    );
    expect(results.map(({ kind }) => kind)).toEqual(results.map(() => 'appended'));
    expect(await store.readStream(stream, 0, 200)).toHaveLength(100);
  });

  test('answers an append alone that the database cannot take, and those beside it as usual', async () => {
    const store = await open(url);
    const before = await store.head();
    const [good, bad, shared] = [newStream(), newStream(), newStream()];
    const sharedId = sampleEvents(shared, 0, 1)[0]!;
    const results = await Promise.allSettled([
      store.append(sampleAppend(good)),
      store.append({
        stream: bad,
        expectedRevision: -1,
        events: [{ ...sampleEvents(bad, 0, 1)[0]!, data: '"\u0000"' }],
      }),
      store.append({ stream: shared, expectedRevision: -1, events: [sharedId] }),
      store.append({ stream: `${shared}.other`, expectedRevision: -1, events: [sharedId] }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(results[3]).toMatchObject({ value: { kind: 'duplicate', eventIds: [sharedId.id] } });
    expect((await readToEnd(store, before)).map(({ stream }) => stream).sort()).toEqual([good, shared].sort());
  });

  test('a session that holds the log for long only delays; beyond the deadline the refusal is certain', async () => {
    const store = await open(url, { deadlineMs: 2_500 });
    const holder = new pg.Client(url);
    await holder.connect();
    await holder.query('begin');
    await holder.query(lockTheLog);
    const delayed = Promise.all(Array.from({ length: 30 }, () => store.append(sampleAppend(newStream()))));
    await sleep(400);
    await holder.query('commit');
    for (const { kind } of await delayed) expect(kind).toBe('appended');

    await holder.query('begin');
    await holder.query(lockTheLog);
    const before = await store.head();
    await expect(store.append(sampleAppend(newStream()))).rejects.toThrow(StoreUnavailable);
    await holder.query('rollback');
    await holder.end();
    await sleep(50);
    expect(await store.head()).toBe(before);
    expect((await store.append(sampleAppend(newStream()))).kind).toBe('appended');
  });

  test('a slow committer holds up those behind it, and nobody reads past it', async () => {
    const store = await open(url);
    const before = await store.head();
    const [slow, fast] = [sampleAppend(newStream()), sampleAppend(newStream())];
    const seen = collect(store, before, (events) => events.length >= 2);
    const committer = new pg.Client(url);
    await committer.connect();
    await committer.query('begin');
    await appendBy(committer, slow);
    let done = false;
    const behind = store.append(fast).then((result) => {
      done = true;
      return result;
    });
    await sleep(300);
    expect([done, await readToEnd(store, before)]).toEqual([false, []]);
    await committer.query('commit');
    await committer.end();
    expect((await behind).kind).toBe('appended');
    expect((await seen).map(({ stream }) => stream)).toEqual([slow.stream, fast.stream]);
  });

  test('refuses early what it cannot hold', async () => {
    const store = await open(url, { queueEvents: 100 });
    const results = await Promise.allSettled(
      Array.from({ length: 500 }, () => store.append(sampleAppend(newStream()))),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toBeInstanceOf(StoreOverloaded);
    expect((await store.append(sampleAppend(newStream()))).kind).toBe('appended');
  });

  test('reads pages bounded in bytes, and never an empty one before the end', async () => {
    const store = await open(url, { pageBytes: 100_000 });
    const before = await store.head();
    const stream = newStream();
    for (let next = 0; next < 6; next += 1)
      await store.append(sampleAppend(stream, next, 1, { data: { large: 'x'.repeat(150_000) } }));
    expect(await store.readAll(before, 100)).toHaveLength(1);
    expect(await readToEnd(store, before)).toHaveLength(6);
  });
});

describe('the PostgreSQL store when connections are killed under load', () => {
  test('every append ends in a known way, and each acknowledged event is in the log exactly once', async () => {
    const { url, drop } = await freshDatabase();
    const stores = [await open(url), await open(url)];
    const load = startLoad(stores, 24);
    const seen = collect(stores[0]!, START, (events) => events.some(({ type }) => type === 'End'));
    for (let kill = 0; kill < 15; kill += 1) {
      await sleep(120);
      await query(url, killWriters);
    }
    await sleep(200);
    await load.stop();
    await expectSound(stores[1]!, load);
    expect(load.count('unknown') + load.count('unavailable')).toBeGreaterThan(0);
    const last = sampleAppend(newStream());
    await stores[1]!.append({ ...last, events: [{ ...last.events[0]!, type: 'End' }] });
    expect((await seen).length).toBe(load.acknowledged.size + 1);
    await Promise.all(opened.splice(0).map((store) => store.close()));
    await drop();
  });
});

describe('the PostgreSQL store when the server crashes, freezes and is away', () => {
  let server: CrashablePostgres;
  beforeAll(async () => {
    server = await CrashablePostgres.start();
  });
  afterAll(async () => {
    await server.remove();
  });

  test('loses nothing that it acknowledged, through stops like a power cut and kill -9', async () => {
    const store = await open(server.url);
    const load = startLoad([store], 24);
    const seen = collect(store, START, (events) => events.some(({ type }) => type === 'End'));
    for (let round = 0; round < 4; round += 1) {
      await sleep(300);
      await (round % 2 === 0 ? server.crash() : server.kill());
      await sleep(100);
      await server.restart();
    }
    await sleep(500);
    await load.stop();
    await expectSound(store, load);
    expect(load.count('unknown')).toBeGreaterThan(0);
    expect(load.count('unavailable')).toBeGreaterThan(0);
    const last = sampleAppend(newStream());
    await store.append({ ...last, events: [{ ...last.events[0]!, type: 'End' }] });
    expect((await seen).length).toBe(load.acknowledged.size + 1);
  });

  test('refuses within its deadline while the server is away, and comes back by itself', async () => {
    const store = await open(server.url);
    await store.append(sampleAppend(newStream()));
    await server.shutDown();
    await sleep(50);
    for (const work of [
      () => store.append(sampleAppend(newStream())),
      () => store.head(),
      () => store.readAll(START, 1),
    ]) {
      const at = performance.now();
      await expect(work()).rejects.toThrow(StoreUnavailable);
      expect(performance.now() - at).toBeLessThan(5_000);
    }
    await server.restart();
    const at = performance.now();
    while (
      !(await store.append(sampleAppend(newStream())).then(
        () => true,
        () => false,
      ))
    )
      await sleep(20);
    expect(performance.now() - at).toBeLessThan(5_000);
  });

  test('does not hang with a frozen server: unknown after the deadline, settled by repeating', async () => {
    const store = await open(server.url, { deadlineMs: 800, readMs: 800, connectMs: 500 });
    const stream = newStream();
    await store.append(sampleAppend(stream));
    const request = sampleAppend(stream, 1);
    const [writer] = await query(
      server.url,
      "select pid from pg_stat_activity where application_name = 'scrip-log-writer'",
    );
    const frozen = [server.pid, Number(writer?.['pid'])];
    for (const pid of frozen) process.kill(pid, 'SIGSTOP');
    try {
      const at = performance.now();
      await expect(store.append(request)).rejects.toThrow(OutcomeUnknown);
      await expect(store.append(sampleAppend(newStream()))).rejects.toThrow(StoreUnavailable);
      expect(performance.now() - at).toBeLessThan(5_000);
    } finally {
      for (const pid of frozen) process.kill(pid, 'SIGCONT');
    }
    const settled = await eventually(
      () => store.append(request).catch((error: unknown) => error),
      (outcome) => !(outcome instanceof StoreUnavailable || outcome instanceof OutcomeUnknown),
    );
    expect(settled).toMatchObject({ kind: 'appended' });
    expect(await store.readStream(stream, 0, 5)).toHaveLength(2);
  });
});
