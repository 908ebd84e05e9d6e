import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { EventStoreDbEventStore } from '#event-store/eventstoredb/store.js';
import { START } from '#event-store/port/event-store.js';
import { appendOf, outcomeOf } from '../support/eventstoredb/appends.js';
import { EventStoreDbDouble } from '../support/eventstoredb/double.js';

/*
 * What the client's usual way to append does wrong, shown on the client alone in a process of its own, and beside it the adapter in
 * the same situation. If the first half of a test fails, the client was repaired, and the adapter may become simpler.
 */

const limits = { appendDeadlineMs: 500, settleDeadlineMs: 300, readDeadlineMs: 1_000, silenceMs: 200 };

let double: EventStoreDbDouble;
let other: EventStoreDbDouble;
let store: EventStoreDbEventStore;

beforeEach(async () => {
  double = new EventStoreDbDouble();
  other = new EventStoreDbDouble();
  await Promise.all([double.start(), other.start()]);
  store = new EventStoreDbEventStore(double.url, new SystemClock(), limits);
});

afterEach(async () => {
  await store.close();
  double.stop();
  other.stop();
});

/** Runs `body` with the bare client, `a` and `b` connected to the two servers; its output and exit code. */
async function bareClient(body: string): Promise<{ output: string; code: number | null }> {
  const program = `
    import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
    const [a, b] = ${JSON.stringify([double.url, other.url])}.map((url) => EventStoreDBClient.connectionString(url));
    const event = () => jsonEvent({ type: 'Tested', data: {} });
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const append = (client, options = {}) => client.appendToStream('s-1', [event()], { expectedRevision: 'no_stream', ...options })
      .then((result) => 'ok ' + result.success + ' ' + result.nextExpectedRevision, (error) => 'failed ' + error.type);
    ${body}
    process.exit(0);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('exit', resolve));
  return { output, code };
}

describe('B1: a server that never answers', () => {
  test('the client waits far beyond the deadline', async () => {
    double.appendFaults.push({ kind: 'hang', stored: false });
    const { output } = await bareClient(
      `console.log(await Promise.race([append(a, { deadline: 300 }), sleep(3000).then(() => 'still waiting')]));`,
    );
    expect(output).toContain('still waiting');
  });

  test('the adapter answers by its deadline', async () => {
    double.appendFaults.push({ kind: 'hang', stored: false });
    const began = performance.now();
    expect(await outcomeOf(store.append(appendOf('account-1')))).toBe('OutcomeUnknown');
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});

describe('B2, B3: one of two connections breaks while an append of the other is under way', () => {
  test('the client fails the healthy one, and ends the process when its answer comes', async () => {
    other.appendFaults.push({ kind: 'answer_late', ms: 3_000 });
    double.appendFaults.push({ kind: 'status', code: 14, stored: false });
    const { output, code } = await bareClient(`
      await b.readAll({ maxCount: 1 });
      const healthy = append(b); await sleep(300);
      await append(a); console.log('healthy: ' + (await healthy)); await sleep(4000); console.log('alive');`);
    expect(output).toContain('healthy: failed unavailable');
    expect(output).not.toContain('alive');
    expect(code).not.toBe(0);
    expect(other.log.all).toHaveLength(1);
  });

  test('the adapters do not touch each other', async () => {
    const healthy = new EventStoreDbEventStore(other.url, new SystemClock(), { ...limits, appendDeadlineMs: 2_000 });
    await healthy.append(appendOf('account-0'));
    other.appendFaults.push({ kind: 'answer_late', ms: 600 });
    const appending = outcomeOf(healthy.append(appendOf('account-1')));
    double.appendFaults.push({ kind: 'status', code: 14, stored: false });
    expect(await outcomeOf(store.append(appendOf('account-1')))).toBe('OutcomeUnknown');
    await store.close();
    expect(await appending).toBe('appended');
    await healthy.close();
  });

  test('answers to nobody, too late or twice, do no harm', async () => {
    for (let index = 0; index < 5; index += 1) {
      double.appendFaults.push({ kind: 'answer_late', ms: 700 });
      await outcomeOf(store.append(appendOf(`account-${String(index)}`)));
    }
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(await outcomeOf(store.append(appendOf('account-9')))).toBe('appended');
  });
});

describe('B4: the revision of a conflict', () => {
  test('the client says 1 whatever it is', async () => {
    for (let previous = null, index = 0; index < 42; index += 1)
      await store.append((previous = appendOf('s-1', 1, previous)));
    const { output } = await bareClient(`
      const quiet = EventStoreDBClient.connectionString(${JSON.stringify(`${double.url}&throwOnAppendFailure=false`)});
      console.log(await append(quiet));`);
    expect(output).toContain('ok false 1');
    expect(await store.append(appendOf('s-1', 1, null, 'other'))).toEqual({ kind: 'conflict', actualRevision: 41 });
  });
});

describe('B5: a subscription that the server ends with OK', () => {
  beforeEach(async () => {
    await store.append(appendOf('account-1', 5));
    double.subscriptionFault = (sent) => (sent === 2 ? 'end_ok' : null);
  });

  test('the client stops without an error', async () => {
    const { output } = await bareClient(`
      let events = 0;
      a.subscribeToAll().on('data', () => events++).on('error', () => console.log('error')).on('end', () => console.log('end'));
      await sleep(1500); console.log('events: ' + events);`);
    expect(output).toContain('events: 2');
    expect(output).not.toContain('error');
  });

  test('the adapter goes on', async () => {
    const stop = new AbortController();
    let events = 0;
    for await (const batch of store.subscribe(START, stop.signal)) if ((events += batch.length) >= 5) stop.abort();
    expect(events).toBe(5);
  });
});

describe('B6: an old call that fails while appends are under way on a new one', () => {
  /** The failing read makes the client leave its connection; the first append, on the old call, fails only later. */
  beforeEach(() => {
    double.appendFaults.push(
      { kind: 'status', code: 14, stored: false, ms: 700 },
      { kind: 'answer_late', ms: 1_200 },
      { kind: 'answer_late', ms: 1_200 },
    );
    double.readFaults.push(14);
  });

  test('the client rejects what is stored, and ends the process', async () => {
    const { output, code } = await bareClient(`
      const to = (stream) => a.appendToStream(stream, [event()], { expectedRevision: 'no_stream' })
        .then(() => 'ok', (error) => 'failed ' + error.type);
      const first = to('s-1'); await sleep(300);
      try { for await (const _ of a.readAll({ maxCount: 1 })); } catch {}
      const others = Promise.all([to('s-2'), to('s-3')]);
      console.log('first: ' + (await first)); console.log('others: ' + (await others));
      await sleep(2000); console.log('alive');`);
    expect(output).toContain('others: failed unavailable,failed unavailable');
    expect(output).not.toContain('alive');
    expect(code).not.toBe(0);
    expect(double.log.all.map(({ stream }) => stream).sort()).toEqual(['s-2', 's-3']);
  });

  test('the adapter answers each by itself', async () => {
    const patient = new EventStoreDbEventStore(double.url, new SystemClock(), { ...limits, appendDeadlineMs: 5_000 });
    const first = outcomeOf(patient.append(appendOf('account-1')));
    while (double.seen.appends < 1) await new Promise((resolve) => setTimeout(resolve, 5));
    await expect(patient.readAll(START, 1)).rejects.toThrow('EventStoreDB');
    const others = ['account-2', 'account-3'].map((stream) => outcomeOf(patient.append(appendOf(stream))));
    expect(await first).toBe('OutcomeUnknown');
    expect(await Promise.all(others)).toEqual(['appended', 'appended']);
    await patient.close();
  });
});
