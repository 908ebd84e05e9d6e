import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { EventStoreDbEventStore } from '#event-store/eventstoredb/store.js';
import { START, type AppendRequest } from '#event-store/port/event-store.js';
import { appendOf, outcomeOf } from '../support/eventstoredb/appends.js';
import { EventStoreDbDouble, type AppendFault } from '../support/eventstoredb/double.js';

const limits = { appendDeadlineMs: 400, settleDeadlineMs: 300, readDeadlineMs: 400, silenceMs: 200 };
/** The longest that a caller may wait: deadline, settling, and what this machine adds. */
const PATIENCE_MS = 5_000;

let double: EventStoreDbDouble;
let store: EventStoreDbEventStore;

beforeEach(async () => {
  double = new EventStoreDbDouble();
  await double.start();
  store = new EventStoreDbEventStore(double.url, new SystemClock(), limits);
});

afterEach(async () => {
  await store.close();
  double.stop();
});

/** A store whose deadlines a busy machine keeps, for what is not about them. */
function patientStore(): EventStoreDbEventStore {
  return new EventStoreDbEventStore(double.url, new SystemClock(), {
    ...limits,
    appendDeadlineMs: 20_000,
    settleDeadlineMs: 10_000,
    readDeadlineMs: 20_000,
  });
}

const timed = async <T>(work: Promise<T>): Promise<{ outcome: T; ms: number }> => {
  const began = performance.now();
  const outcome = await work;
  return { outcome, ms: performance.now() - began };
};

/** Repeats the identical append until the store knows, and checks that the log has it once and goes on from there. */
async function expectTruth(request: AppendRequest): Promise<void> {
  let outcome = '';
  for (let attempt = 0; attempt < 10 && outcome !== 'appended'; attempt += 1)
    outcome = await outcomeOf(store.append(request));
  expect(outcome).toBe('appended');
  const stored = await store.readStream(request.stream, 0, 100);
  expect(stored.map(({ hash }) => hash)).toEqual(request.events.map(({ hash }) => hash));
  expect(await store.append(request)).toEqual({ kind: 'appended', position: stored.at(-1)?.position });
  const next = appendOf(request.stream, 1, request, 'next');
  expect(await store.append(next)).toMatchObject({ kind: 'appended' });
  expect(double.log.stream(request.stream)).toHaveLength(request.events.length + 1);
}

/** Errors that the server gives only before it begins to write, and one that it gives while it starts. */
const refusals: [code: number, exception: string][] = [
  [3, 'maximum-append-size-exceeded'],
  [7, 'access-denied'],
  [9, 'stream-deleted'],
  [16, ''],
];
const codes = [...Array(17).keys(), 99].filter((code) => code !== 16);

test.each(refusals)('an append refused with status %i %s', async (code, exception) => {
  double.appendFaults.push({ kind: 'status', code, exception, stored: false });
  const request = appendOf('account-1', 2);
  const patient = patientStore();
  expect(await outcomeOf(patient.append(request))).toBe('StoreUnavailable');
  expect(double.seen.reads).toBe(0);
  await patient.close();
  await expectTruth(request);
});

describe.each([true, false])('an append, stored: %s', (stored) => {
  test.each(codes)('its call ended with status %i', async (code) => {
    double.appendFaults.push({ kind: 'status', code, stored });
    const request = appendOf('account-1', 2);
    // An end without an answer is what the client passes over: only the deadline ends that.
    const expected = stored && code !== 0 ? 'appended' : 'OutcomeUnknown';
    expect(await outcomeOf(store.append(request))).toBe(expected);
    await expectTruth(request);
  });

  test('its connection dropped', async () => {
    double.appendFaults.push({ kind: 'drop', stored });
    const request = appendOf('account-1', 2);
    expect(['OutcomeUnknown', 'appended']).toContain(await outcomeOf(store.append(request)));
    await expectTruth(request);
  });

  test('never answered: the caller hears by the deadline', async () => {
    double.appendFaults.push({ kind: 'hang', stored });
    const request = appendOf('account-1', 2);
    const { outcome, ms } = await timed(outcomeOf(store.append(request)));
    expect(outcome).toBe('OutcomeUnknown');
    expect(ms).toBeLessThan(PATIENCE_MS);
    await expectTruth(request);
  });

  test('refused for a revision that the stream does have', async () => {
    double.appendFaults.push({ kind: 'false_conflict', stored });
    const request = appendOf('account-1', 2);
    expect(await outcomeOf(store.append(request))).toBe(stored ? 'appended' : 'OutcomeUnknown');
    await expectTruth(request);
  });
});

test.each(codes)('status %i before the events are read', async (code) => {
  double.appendFaults.push({ kind: 'early_status', code, stored: false });
  const request = appendOf('account-1', 200);
  expect(await outcomeOf(store.append(request))).toBe('OutcomeUnknown');
  const patient = patientStore();
  expect(await outcomeOf(patient.append(request))).toBe('appended');
  expect(double.log.all).toHaveLength(200);
  await patient.close();
});

test('a status is named, known or not', async () => {
  double.appendFaults.push({ kind: 'status', code: 99, stored: false }, { kind: 'status', code: 8, stored: false });
  await expect(store.append(appendOf('account-1'))).rejects.toThrow(/unknown \(status 99\)/);
  await expect(store.append(appendOf('account-1'))).rejects.toThrow(/unknown \(status 8\)/);
});

test('appends are single calls, and at most 256 are in flight', async () => {
  const patient = patientStore();
  const appends = Array.from({ length: 700 }, (_, index) => patient.append(appendOf(`account-${String(index)}`)));
  expect(new Set((await Promise.all(appends)).map(({ kind }) => kind))).toEqual(new Set(['appended']));
  expect(double.seen).toMatchObject({ appends: 700, batchAppends: 0 });
  expect(double.seen.largestInFlight).toBeGreaterThan(100);
  expect(double.seen.largestInFlight).toBeLessThanOrEqual(256);
  await patient.close();
});

test('what waits behind a frozen server is not sent, and so certainly not stored', async () => {
  double.freeze();
  const outcomes = await Promise.all(
    Array.from({ length: 300 }, (_, index) => outcomeOf(store.append(appendOf(`account-${String(index)}`)))),
  );
  const count = (name: string): number => outcomes.filter((outcome) => outcome === name).length;
  expect(count('OutcomeUnknown')).toBe(256);
  expect(count('StoreUnavailable')).toBe(44);
});

test('an answer after the deadline is dropped, and ends nothing else', async () => {
  double.appendFaults.push({ kind: 'answer_late', ms: 700 });
  const late = appendOf('account-1');
  const others = Array.from({ length: 20 }, (_, index) => appendOf(`account-other${String(index)}`));
  const lateOutcome = outcomeOf(store.append(late));
  for (const other of others) {
    expect(await outcomeOf(store.append(other))).toBe('appended');
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  expect(await lateOutcome).toBe('OutcomeUnknown');
  await expectTruth(late);
});

test('a repetition while the first is under way is settled, once stored', async () => {
  double.appendFaults.push({ kind: 'store_late', ms: 900 });
  const request = appendOf('account-1', 2);
  expect(await outcomeOf(store.append(request))).toBe('OutcomeUnknown');
  expect(await outcomeOf(store.append(request))).toBe('OutcomeUnknown');
  await expectTruth(request);
});

test('what was left open is looked for, not sent again, once it is stored', async () => {
  double.appendFaults.push({ kind: 'hang', stored: true });
  const request = appendOf('account-1', 2);
  expect(await outcomeOf(store.append(request))).toBe('OutcomeUnknown');
  expect(await outcomeOf(store.append(request))).toBe('appended');
  expect(double.seen.appends).toBe(1);
});

test('what was left open stays open, whatever is said of a repetition', async () => {
  double.appendFaults.push(
    { kind: 'hang', stored: false },
    { kind: 'status', code: 7, exception: 'access-denied', stored: false },
  );
  const request = appendOf('account-1', 2);
  expect(await outcomeOf(store.append(request))).toBe('OutcomeUnknown');
  expect(await outcomeOf(store.append(request))).toBe('OutcomeUnknown');
  double.stop();
  expect(await outcomeOf(store.append(request))).toBe('OutcomeUnknown');
  await double.start();
  await expectTruth(request);
});

test('a wrong revision in the answer is not believed', async () => {
  const first = appendOf('account-1', 5);
  await store.append(first);
  double.appendFaults.push({ kind: 'wrong_revision' });
  const second = appendOf('account-1', 1, first);
  const result = await store.append(second);
  const [stored] = await store.readStream('account-1', 5, 1);
  expect(result).toEqual({ kind: 'appended', position: stored?.position });
});

test('a conflict has the true revision', async () => {
  const first = appendOf('account-1', 41);
  await store.append(first);
  expect(await store.append(appendOf('account-1', 1, null, 'other'))).toEqual({ kind: 'conflict', actualRevision: 40 });
  expect(await store.append({ ...appendOf('account-2', 1), expectedRevision: 3 })).toEqual({
    kind: 'conflict',
    actualRevision: -1,
  });
});

test('only the identical append is a repetition', async () => {
  const first = appendOf('account-1', 3);
  const firstResult = await store.append(first);
  await store.append(appendOf('account-1', 2, first));
  expect(firstResult).toMatchObject({ kind: 'appended' });
  expect(await store.append(first)).toEqual(firstResult);
  const sameIds = {
    ...first,
    events: first.events.map((event) => ({ ...event, hash: event.hash.replace(/^.{4}/, '0000') })),
  };
  expect(await store.append(sameIds)).toEqual({ kind: 'conflict', actualRevision: 4 });
  const overlapping = { ...first, events: [...first.events.slice(0, 2), ...sameIds.events.slice(2)] };
  expect(await store.append(overlapping)).toEqual({ kind: 'conflict', actualRevision: 4 });
  expect(double.log.all).toHaveLength(5);
});

test('an append is answered with the position of its last event, without a read', async () => {
  const request = appendOf('account-1', 5);
  const result = await store.append(request);
  const positions = double.log.all.map(({ position }) => position.toString().padStart(19, '0'));
  expect(result).toEqual({ kind: 'appended', position: positions[4] });
  await store.append(appendOf('account-1', 2, request));
  expect(await store.append(request)).toEqual(result);
  expect(double.seen.reads).toBe(0);
});

describe('a frozen server', () => {
  beforeEach(async () => {
    await store.append(appendOf('account-1'));
    double.freeze();
  });

  test.each([
    ['append', () => outcomeOf(store.append(appendOf('account-2'))), 'OutcomeUnknown'],
    ['readStream', () => store.readStream('account-1', 0, 10).catch((error: Error) => error.name), 'StoreUnavailable'],
    ['readAll', () => store.readAll(START, 10).catch((error: Error) => error.name), 'StoreUnavailable'],
    ['head', () => store.head().catch((error: Error) => error.name), 'StoreUnavailable'],
  ])('%s is answered by its deadline, and again when the server wakes', async (_, call, expected) => {
    const { outcome, ms } = await timed(call());
    expect(outcome).toBe(expected);
    expect(ms).toBeLessThan(PATIENCE_MS);
    double.thaw();
    await expectTruth(appendOf('account-3', 2));
  });
});

test('a server that is not there took nothing, and is found again when it comes back', async () => {
  const before = appendOf('account-1');
  await store.append(before);
  double.stop();
  await outcomeOf(store.append(appendOf('account-3')));
  expect(await outcomeOf(store.append(appendOf('account-2')))).toBe('StoreUnavailable');
  await expect(store.readStream('account-1', 0, 1)).rejects.toThrow('EventStoreDB');
  await double.start();
  const { outcome, ms } = await timed(
    (async () => {
      while ((await outcomeOf(store.append(appendOf('account-2')))) !== 'appended')
        await new Promise((resolve) => setTimeout(resolve, 50));
    })(),
  );
  expect(outcome).toBeUndefined();
  expect(ms).toBeLessThan(5_000);
  expect(double.log.stream('account-1')).toHaveLength(1);
});

test('appends that are never answered hold no other up', async () => {
  const patient = new EventStoreDbEventStore(double.url, new SystemClock(), { ...limits, appendDeadlineMs: 5_000 });
  await patient.append(appendOf('account-first'));
  double.appendFaults.push(...Array.from({ length: 8 }, (): AppendFault => ({ kind: 'hang', stored: true })));
  const hung = Array.from({ length: 8 }, (_, index) => outcomeOf(patient.append(appendOf(`account-${String(index)}`))));
  while (double.seen.appends < 9) await new Promise((resolve) => setTimeout(resolve, 5));
  const { outcome, ms } = await timed(outcomeOf(patient.append(appendOf('account-9'))));
  expect(outcome).toBe('appended');
  expect(ms).toBeLessThan(2_500);
  double.stop();
  expect(new Set(await Promise.all(hung))).toEqual(new Set(['OutcomeUnknown']));
  await patient.close();
});

test('what waits is bounded', async () => {
  const small = new EventStoreDbEventStore(double.url, new SystemClock(), {
    ...limits,
    maxPendingAppends: 3,
    maxAppendBytes: 2_000,
  });
  double.freeze();
  const outcomes = await Promise.all(
    Array.from({ length: 5 }, (_, index) => outcomeOf(small.append(appendOf(`account-${String(index)}`)))),
  );
  expect(outcomes).toEqual([
    'OutcomeUnknown',
    'OutcomeUnknown',
    'OutcomeUnknown',
    'StoreOverloaded',
    'StoreOverloaded',
  ]);
  double.thaw();
  expect(await outcomeOf(small.append(appendOf('account-large', 50)))).toBe('AssertionFailed');
  expect(double.log.stream('account-large')).toHaveLength(0);
  await small.close();
});

test('closing waits for the appends under way; afterwards all is refused', async () => {
  double.appendFaults.push({ kind: 'answer_late', ms: 150 });
  const appending = outcomeOf(store.append(appendOf('account-1')));
  await new Promise((resolve) => setTimeout(resolve, 30));
  await store.close();
  expect(await appending).toBe('appended');
  expect(await outcomeOf(store.append(appendOf('account-2')))).toBe('StoreUnavailable');
  await expect(store.head()).rejects.toThrow('closed');
});

test('exact bytes survive, and the metadata on the server is JSON', async () => {
  const request = appendOf('account-1');
  const texts = [
    {
      data: '{"n":1.0,"big":9007199254740993,"e":1e2,"a":{"2":0,"1":0,"1":1}}',
      metadata: '{ "x":"\u2028é😀\\ud83d" }',
    },
    { data: ' [1 ,2] ', metadata: '{}' },
    { data: '"text"', metadata: '{ }' },
  ];
  for (const [index, { data, metadata }] of texts.entries()) {
    const hash = String(index).repeat(64);
    const event = { ...request.events[0]!, data, metadata, hash, schemaVersion: 10 + index };
    await store.append({ stream: 'account-1', expectedRevision: index - 1, events: [event] });
    const [read] = await store.readStream('account-1', index, 1);
    expect(read).toMatchObject(event);
    const raw = double.log.stream('account-1')[index]!;
    expect(JSON.parse(Buffer.from(raw.metadata).toString())).toMatchObject({ hash, schemaVersion: 10 + index });
  }
});

test('pages of the log are filled beyond any number of events of the server itself', async () => {
  const system = { id: '7d444840-9dc0-11d1-b245-5ffdce74fad2', type: '$stats', contentType: 'application/json' };
  const stats = { ...system, data: Buffer.from('{}'), metadata: Buffer.from('') };
  const fillUp = (stream: string): void => {
    for (let revision = -1; revision < 1_200; revision += 1) double.log.append(stream, revision, [stats]);
  };
  const patient = patientStore();
  fillUp('$stats-1');
  await patient.append(appendOf('account-1', 2));
  fillUp('$stats-2');
  await patient.append(appendOf('account-2', 2));
  fillUp('$stats-3');
  const read: string[] = [];
  for (let after = START; ;) {
    const [event] = await patient.readAll(after, 1);
    if (event === undefined) break;
    read.push(event.stream);
    after = event.position;
  }
  expect(read).toEqual(['account-1', 'account-1', 'account-2', 'account-2']);
  expect(await patient.head()).toBe((await patient.readStream('account-2', 1, 1))[0]?.position);
  await patient.close();
});

test('the events of the server itself are left out; those of strangers come as they are', async () => {
  const foreign = {
    id: '7d444840-9dc0-11d1-b245-5ffdce74fad2',
    contentType: 'application/octet-stream',
    data: Buffer.from('x'),
    metadata: Buffer.from('{"a":1}'),
  };
  double.log.append('$stats', -1, [{ ...foreign, type: '$statsCollected' }]);
  await store.append(appendOf('account-1'));
  double.log.append('account-9', -1, [{ ...foreign, type: '$streamDeleted' }]);
  double.log.append('other-1', -1, [{ ...foreign, type: 'Theirs' }]);
  double.log.append('$$account-1', -1, [{ ...foreign, type: '$metadata' }]);
  const all = await store.readAll(START, 10);
  expect(all.map(({ stream }) => stream)).toEqual(['account-1', 'other-1']);
  expect(all[1]).toMatchObject({
    id: foreign.id,
    type: 'Theirs',
    data: 'x',
    metadata: '{"a":1}',
    schemaVersion: 0,
    hash: '0'.repeat(64),
  });
  expect(await store.head()).toBe(all[1]?.position);
});

test('any mix of faults: every append is in the log once, in order', async () => {
  const kinds: ((stored: boolean, code: number) => AppendFault)[] = [
    (stored, code) => ({ kind: 'status', code, stored }),
    (_stored, code) => ({ kind: 'early_status', code, stored: false }),
    (stored) => ({ kind: 'hang', stored }),
    (stored) => ({ kind: 'drop', stored }),
    (stored) => ({ kind: 'false_conflict', stored }),
    () => ({ kind: 'wrong_revision' }),
    () => ({ kind: 'store_late', ms: 50 }),
    () => ({ kind: 'answer_late', ms: 20 }),
  ];
  let faults = 0;
  const nextFault = (): AppendFault => {
    faults += 1;
    return kinds[faults % kinds.length]!(faults % 3 === 0, faults % 17);
  };
  const impatient = new EventStoreDbEventStore(double.url, new SystemClock(), { ...limits, appendDeadlineMs: 200 });
  const lanes = Array.from({ length: 8 }, async (_, lane) => {
    let previous: AppendRequest | null = null;
    for (let step = 0; step < 12; step += 1) {
      const request: AppendRequest = appendOf(
        `account-${String(lane)}`,
        1 + (step % 3),
        previous,
        `${String(lane)}-${String(step)}`,
      );
      if ((lane + step) % 2 === 0) double.appendFaults.push(nextFault());
      while ((await outcomeOf(impatient.append(request))) !== 'appended')
        await new Promise((resolve) => setTimeout(resolve, 20));
      previous = request;
    }
  });
  await Promise.all(lanes);
  for (let lane = 0; lane < 8; lane += 1) {
    const events = await impatient.readStream(`account-${String(lane)}`, 0, 100);
    expect(events).toHaveLength(24);
    events.forEach((event, index) => expect(event.prevHash).toBe(events[index - 1]?.hash ?? '0'.repeat(64)));
  }
  expect(double.log.all).toHaveLength(8 * 24);
  await impatient.close();
});
