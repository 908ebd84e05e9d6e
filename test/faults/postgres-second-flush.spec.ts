import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { SystemClock } from '#config/system-clock.js';
import { PostgresEventStore } from '#event-store/postgres/store.js';
import {
  OutcomeUnknown,
  StoreUnavailable,
  positionOf,
  type AppendRequest,
  type AppendResult,
} from '#event-store/port/event-store.js';
import { appendBy } from '../support/ledger/append-by.js';
import { eventually } from '../support/eventually.js';
import { CrashablePostgres, query } from '../support/databases/postgres.js';
import { newStream, readToEnd, sampleAppend, sampleEvents } from '../support/ledger/sample-events.js';
import { TcpProxy } from '../support/processes/tcp-proxy.js';
/** So many events wait for no company: a flush of their own goes out beside the one under way. */
const enoughForASecond = 64;

let server: CrashablePostgres;
let proxy: TcpProxy;
let store: PostgresEventStore;
let holder: pg.Client;
let head: number;

beforeAll(async () => {
  server = await CrashablePostgres.start();
  proxy = await TcpProxy.listen({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
});
afterAll(async () => {
  await proxy.close();
  await server.remove();
});
beforeEach(async () => {
  store = openStore(30_000);
  await store.migrate();
  head = Number(await store.head());
  holder = new pg.Client(server.url);
  await holder.connect();
});
afterEach(async () => {
  await holder.end();
  await store.close();
});

const openStore = (deadlineMs: number): PostgresEventStore =>
  new PostgresEventStore(proxy.through(server.url), new SystemClock(), { deadlineMs });

/** For a test that waits for a deadline to pass; elsewhere none may, however busy the machine is. */
async function shortenDeadline(): Promise<void> {
  await store.close();
  store = openStore(5_000);
}

const many = (): AppendRequest[] => Array.from({ length: enoughForASecond }, () => sampleAppend(newStream()));

type Outcome = AppendResult | { readonly kind: 'unknown' } | { readonly kind: 'unavailable' };
const append = (request: AppendRequest): Promise<Outcome> =>
  store.append(request).catch((error: unknown) => {
    if (error instanceof OutcomeUnknown) return { kind: 'unknown' };
    if (error instanceof StoreUnavailable) return { kind: 'unavailable' };
    throw error;
  });
const appendAll = (requests: readonly AppendRequest[]): Promise<Outcome[]> => Promise.all(requests.map(append));

/** Where an outcome says that the one event of its append stands, counted from the beginning of the test; or its kind. */
const placeOf = (outcome: Outcome): number | string =>
  outcome.kind === 'appended' ? Number(outcome.position) - head : outcome.kind;
const placesOf = async (outcomes: Promise<readonly Outcome[]>) => (await outcomes).map(placeOf);
const places = (first: number, count: number): number[] => Array.from({ length: count }, (_none, n) => first + n);
const allOf = (count: number, kind: string): string[] => Array.from({ length: count }, () => kind);

type Session = { readonly pid: number; readonly port: number };

/** The sessions of the writer that wait for the log's lock, in the order in which they will get it. */
async function waitingWriters(count: number): Promise<Session[]> {
  const rows = await eventually(
    () =>
      query(
        server.url,
        `select l.pid, a.client_port as port from pg_locks l join pg_stat_activity a using (pid)
         where l.locktype = 'advisory' and not l.granted and a.application_name = 'scrip-log-writer' order by l.waitstart`,
      ),
    ({ length }) => length === count,
  );
  return rows.map(({ pid, port }) => ({ pid: Number(pid), port: Number(port) }));
}

async function holdTheLog(): Promise<void> {
  await holder.query('begin');
  await holder.query('select pg_advisory_xact_lock(1396920656, 1)');
}

const letGo = (): Promise<unknown> => holder.query('commit');

/** Two flushes that wait inside the database: one append in the first, all of `second` in the second. */
async function twoFlushes(first: AppendRequest, second: readonly AppendRequest[]) {
  await holdTheLog();
  const firstOutcome = append(first);
  const [firstSession] = await waitingWriters(1);
  const secondOutcomes = appendAll(second);
  const [, secondSession] = await waitingWriters(2);
  return { firstOutcome, secondOutcomes, firstSession: firstSession!, secondSession: secondSession! };
}

/** The log since the beginning of the test: its positions have no gap, and it holds these appends in this order. */
async function expectLog(requests: readonly AppendRequest[]): Promise<void> {
  const events = await readToEnd(store, positionOf(head), 1_000);
  expect(events.map(({ position }) => position)).toEqual(events.map((_event, index) => positionOf(head + index + 1)));
  expect(events.map(({ id }) => id)).toEqual(requests.flatMap((request) => request.events.map(({ id }) => id)));
}

test('two flushes beside each other and what came later stand in the log in the order of their sending', async () => {
  const [first, second, third] = [sampleAppend(newStream()), many(), many()];
  const { firstOutcome, secondOutcomes } = await twoFlushes(first, second);
  const thirdOutcomes = appendAll(third);
  await letGo();
  expect(placeOf(await firstOutcome)).toBe(1);
  expect(await placesOf(secondOutcomes)).toEqual(places(2, enoughForASecond));
  expect(await placesOf(thirdOutcomes)).toEqual(places(2 + enoughForASecond, enoughForASecond));
  await expectLog([first, ...second, ...third]);
});

test('an append to a stream of the first flush is left out of the second, and follows with the next', async () => {
  const stream = newStream();
  const [first, next, few] = [sampleAppend(stream), sampleAppend(stream, 1), sampleAppend(newStream())];
  const second = many();
  const { firstOutcome, secondOutcomes } = await twoFlushes(first, [next, ...second]);
  const fewOutcome = append(few);
  await letGo();
  expect((await Promise.all([firstOutcome, fewOutcome])).map(({ kind }) => kind)).toEqual(allOf(2, 'appended'));
  expect(await placesOf(secondOutcomes)).toEqual([2 + enoughForASecond, ...places(2, enoughForASecond)]);
  await expectLog([first, ...second, next, few]);
});

test('what another process wrote meanwhile is a conflict of that append alone, in either flush', async () => {
  const [first, second] = [sampleAppend(newStream()), many()];
  const { firstOutcome, secondOutcomes } = await twoFlushes(first, second);
  const elsewhere = [sampleAppend(first.stream), sampleAppend(second[5]!.stream)];
  for (const request of elsewhere) await appendBy(holder, request);
  await letGo();
  expect(await firstOutcome).toEqual({ kind: 'conflict', actualRevision: 0 });
  const outcomes = await secondOutcomes;
  expect(outcomes[5]).toEqual({ kind: 'conflict', actualRevision: 0 });
  const stored = second.filter((_request, index) => index !== 5);
  expect(outcomes.filter((_outcome, index) => index !== 5).map(placeOf)).toEqual(places(3, stored.length));
  await expectLog([...elsewhere, ...stored]);
});

test('another process fills exactly the places that the first flush left: the second still sees its conflict', async () => {
  const [stale, taken, known] = [newStream(), newStream(), newStream()];
  const second = many();
  expect(await placesOf(appendAll([stale, taken, known].map((stream) => sampleAppend(stream))))).toEqual([1, 2, 3]);
  await holdTheLog();
  const firstOutcomes = appendAll([sampleAppend(stale, 5), sampleAppend(taken, 1), sampleAppend(newStream())]);
  await waitingWriters(1);
  const secondOutcomes = appendAll([...second, sampleAppend(known, 1)]);
  await waitingWriters(2);
  const elsewhere = [sampleAppend(taken, 1), sampleAppend(known, 1)];
  for (const request of elsewhere) await appendBy(holder, request);
  await letGo();
  expect(await placesOf(firstOutcomes)).toEqual(['conflict', 'conflict', 6]);
  const outcomes = await secondOutcomes;
  expect(outcomes.at(-1)).toEqual({ kind: 'conflict', actualRevision: 1 });
  expect(outcomes.slice(0, -1).map(placeOf)).toEqual(places(7, enoughForASecond));
});

test('an event id of the first flush again in the second is a duplicate there, and nothing else of it suffers', async () => {
  const [first, second] = [sampleAppend(newStream()), many()];
  const twin = { stream: newStream(), expectedRevision: -1, events: first.events };
  const { firstOutcome, secondOutcomes } = await twoFlushes(first, [...second, twin]);
  await letGo();
  expect(placeOf(await firstOutcome)).toBe(1);
  const outcomes = await secondOutcomes;
  expect(outcomes.at(-1)).toEqual({ kind: 'duplicate', eventIds: [first.events[0]!.id] });
  expect(outcomes.slice(0, -1).map(placeOf)).toEqual(places(2, enoughForASecond));
  await expectLog([first, ...second]);
});

test('an append that the database cannot take fails alone, with what waits for its stream in order behind', async () => {
  const [first, second] = [sampleAppend(newStream()), many()];
  const bad = newStream();
  const impossible = { ...sampleAppend(bad), events: [{ ...sampleEvents(bad, 0, 1)[0]!, data: '"\u0000"' }] };
  await holdTheLog();
  const firstOutcome = append(first);
  await waitingWriters(1);
  const secondOutcomes = appendAll(second);
  const failed = store.append(impossible).catch((error: unknown) => error);
  const behind = appendAll(second.map(({ stream }) => sampleAppend(stream, 1)));
  await waitingWriters(2);
  await letGo();
  expect(placeOf(await firstOutcome)).toBe(1);
  expect(await failed).toMatchObject({ code: '22021' });
  expect((await secondOutcomes).map(({ kind }) => kind)).toEqual(allOf(enoughForASecond, 'appended'));
  expect((await behind).map(({ kind }) => kind)).toEqual(allOf(enoughForASecond, 'appended'));
});

/** Lets nobody new into the tests' database, or everybody again; asked from another database of the server. */
async function admit(allowed: boolean): Promise<void> {
  const url = new URL(server.url);
  const database = url.pathname.slice(1);
  url.pathname = '/template1';
  await query(url.href, `alter database "${database}" allow_connections ${String(allowed)}`);
}

test.each([
  ['refused', () => admit(false)],
  ['left without an answer', () => Promise.resolve(process.kill(server.pid, 'SIGSTOP'))],
] as const)('while a second connection is %s, the first writes everything', async (_how, hinder) => {
  const [first, second] = [sampleAppend(newStream()), many()];
  await holdTheLog();
  const firstOutcome = append(first);
  await waitingWriters(1);
  await hinder();
  try {
    const secondOutcomes = appendAll(second);
    await holder.query('select pg_sleep(0.3)');
    await letGo();
    expect(placeOf(await firstOutcome)).toBe(1);
    expect(await placesOf(secondOutcomes)).toEqual(places(2, enoughForASecond));
  } finally {
    process.kill(server.pid, 'SIGCONT');
    await admit(true);
  }
  expect(placeOf(await append(sampleAppend(newStream())))).toBe(2 + enoughForASecond);
});

test('a second flush whose session ends while it waits is unknown; the first is stored, and repeating settles it', async () => {
  const [first, second] = [sampleAppend(newStream()), many()];
  const { firstOutcome, secondOutcomes, secondSession } = await twoFlushes(first, second);
  await holder.query('select pg_terminate_backend($1)', [secondSession.pid]);
  expect(await placesOf(secondOutcomes)).toEqual(allOf(enoughForASecond, 'unknown'));
  await letGo();
  expect(placeOf(await firstOutcome)).toBe(1);
  expect(await placesOf(appendAll(second))).toEqual(places(2, enoughForASecond));
  await expectLog([first, ...second]);
});

test('a first flush whose session ends while it waits is unknown; the second is stored, and repeating settles it', async () => {
  const [first, second] = [sampleAppend(newStream()), many()];
  const { firstOutcome, secondOutcomes, firstSession } = await twoFlushes(first, second);
  await holder.query('select pg_terminate_backend($1)', [firstSession.pid]);
  expect(placeOf(await firstOutcome)).toBe('unknown');
  await letGo();
  expect(await placesOf(secondOutcomes)).toEqual(places(1, enoughForASecond));
  expect(placeOf(await append(first))).toBe(1 + enoughForASecond);
  await expectLog([...second, first]);
});

test.each(['first', 'second'] as const)(
  'the lost answer of the %s flush alone is unknown after the deadline, and repeating finds what was stored',
  async (which) => {
    const [first, second] = [sampleAppend(newStream()), many()];
    await shortenDeadline();
    const flushes = await twoFlushes(first, second);
    proxy.deafen(flushes[`${which}Session`].port);
    await letGo();
    const stored = [1, ...places(2, enoughForASecond)];
    const outcomes = [placeOf(await flushes.firstOutcome), ...(await placesOf(flushes.secondOutcomes))];
    expect(outcomes).toEqual(stored.map((place) => ((place === 1) === (which === 'first') ? 'unknown' : place)));
    expect(await placesOf(appendAll([first, ...second]))).toEqual(stored);
    await expectLog([first, ...second]);
  },
);

test('a second flush that freezes holding the lock blocks until its deadline, and is settled by repeating', async () => {
  const [first, second] = [sampleAppend(newStream()), many()];
  await shortenDeadline();
  const { firstOutcome, secondOutcomes, secondSession } = await twoFlushes(first, second);
  process.kill(secondSession.pid, 'SIGSTOP');
  try {
    await letGo();
    expect(placeOf(await firstOutcome)).toBe(1);
    const behind = append(sampleAppend(newStream()));
    expect(await placesOf(secondOutcomes)).toEqual(allOf(enoughForASecond, 'unknown'));
    expect(placeOf(await behind)).toBe('unavailable');
  } finally {
    process.kill(secondSession.pid, 'SIGCONT');
  }
  const settled = await eventually(
    () => appendAll(second),
    (outcomes) => outcomes.every(({ kind }) => kind === 'appended'),
  );
  expect(settled.map(placeOf)).toEqual(places(2, enoughForASecond));
  await expectLog([first, ...second]);
});
