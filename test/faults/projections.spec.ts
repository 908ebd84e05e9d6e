import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { encodeEvent, eventId, ZERO_HASH } from '#event-store/port/encode-event.js';
import { openEventStore } from '#event-store/event-store.module.js';
import { NO_STREAM } from '#event-store/port/event-store.js';
import type { NodeProcess } from '../support/processes/node-process.js';
import { eventually } from '../support/eventually.js';
import { stripeEvent } from '../support/stripe/events.js';
import { webhookSecret, World } from '../support/worlds/world.js';
const customers = Array.from({ length: 20 }, (_, n) => `acme-${String(n)}`);

describe('what follows the log', () => {
  let world: World;
  let worker: NodeProcess;

  beforeAll(async () => {
    world = await World.start();
    [, worker] = await Promise.all([world.startApi(), world.startWorker()]);
    await Promise.all(customers.map((customer) => world.client.grant(customer, 1_000_000)));
  });

  afterAll(async () => {
    await world.stop();
  });

  async function whileLoaded(work: () => Promise<void>): Promise<void> {
    const enough = new AbortController();
    const load = world.client.load(customers, 8, enough.signal);
    await work();
    enough.abort();
    await load;
    await world.client.settle();
  }

  it('equals a fold of the log after the worker was killed again and again', async () => {
    await whileLoaded(async () => {
      for (let i = 0; i < 6; i += 1) {
        await sleep(150 + 120 * i);
        await worker.stop('SIGKILL');
        worker = await world.startWorker();
      }
    });
    expect(await world.projectionViolations()).toEqual([]);
  });

  it('equals a fold of the log with two workers; when the one at work is frozen the other takes over', async () => {
    const second = await world.startWorker();
    await whileLoaded(async () => {
      await sleep(500);
      worker.signal('SIGSTOP');
      const frozen = performance.now();
      const payment = { id: 'cs_frozen', payment_intent: 'pi_frozen', client_reference_id: 'patient' };
      const sale = { ...payment, metadata: { credits: '7' } };
      await webhook(stripeEvent('checkout.session.completed.endive', { id: 'evt_frozen' }, sale));
      await eventually(
        () => grantsOf('patient'),
        (grants) => grants === 1,
      );
      const { position } = (await world.log()).at(-1)!;
      await eventually(
        () => world.projections(),
        (all) => all.every((each) => each.position >= position),
      );
      const took = performance.now() - frozen;
      worker.signal('SIGCONT');
      await sleep(500);
      expect(took).toBeLessThan(30_000);
    });
    expect(await world.projectionViolations()).toEqual([]);
    await second.stop('SIGKILL');
  });

  it('is rebuilt under load, killed half way, and switched: readers see a whole balance all the time', async () => {
    const generations = () =>
      world.query<{ generation: number; role: string }>(
        `select generation, role from scrip_read.projection_checkpoints where name = 'balances'`,
      );
    const [live] = await generations();
    const holes: unknown[] = [];
    await whileLoaded(async () => {
      const enough = new AbortController();
      const reading = readBalances(enough.signal, holes);
      for (let halfWay = 0; halfWay < 2;) {
        await world.query(
          `update scrip_read.projection_checkpoints set rebuild_requested = true where name = 'balances' and role = 'live'`,
        );
        await eventually(generations, (all) => all.length > 1);
        await worker.stop('SIGKILL');
        if ((await generations()).some(({ role }) => role === 'building')) halfWay += 1;
        worker = await world.startWorker();
      }
      await eventually(generations, (all) => all.length === 1 && all[0]!.generation > live!.generation, 30_000);
      enough.abort();
      await reading;
    });
    expect(holes).toEqual([]);
    expect(await world.projectionViolations()).toEqual([]);
  });

  /** Nothing is granted meanwhile: a balance that rises, or is not there, was read from a table that was not whole. */
  async function readBalances(signal: AbortSignal, holes: unknown[]): Promise<void> {
    for (let lowest = Infinity; !signal.aborted; await sleep(5)) {
      const { status, body } = await world.client.get('/v1/customers/acme-1/balance');
      const { available } = body as { available: number };
      if (status !== 200 || available > lowest) holes.push({ status, available, lowest });
      lowest = available;
    }
  }

  async function webhook(body: object): Promise<{ status: number; text: string }> {
    const text = JSON.stringify(body);
    const seconds = String(Math.floor(Date.now() / 1000));
    const signature = createHmac('sha256', webhookSecret).update(`${seconds}.${text}`).digest('hex');
    const response = await fetch(`${world.api.url}/v1/webhooks/stripe`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'stripe-signature': `t=${seconds},v1=${signature}` },
      body: text,
    });
    return { status: response.status, text: await response.text() };
  }

  it('grants once for a webhook that comes 50 times at once and again later', async () => {
    const payment = {
      id: 'cs_50',
      payment_intent: 'pi_50',
      client_reference_id: 'payer',
      metadata: { credits: '700' },
    };
    const body = stripeEvent('checkout.session.completed.endive', { id: 'evt_50' }, payment);
    const answers = await Promise.all(Array.from({ length: 50 }, () => webhook(body)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
    expect(answers.filter(({ text }) => !text.includes('"duplicate":true'))).toHaveLength(1);
    await worker.stop('SIGKILL');
    worker = await world.startWorker();
    expect((await webhook(body)).status).toBe(200);
    await eventually(
      () => grantsOf('payer'),
      (grants) => grants === 1,
    );
    // The same payment reported by another event.
    const redelivered = stripeEvent('checkout.session.completed.endive', { id: 'evt_50_again' }, payment);
    expect((await webhook(redelivered)).status).toBe(200);
    await eventually(
      () => world.log(),
      (events) =>
        events.some(({ stream, type }) => stream === 'stripeEvent-evt_50_again' && type !== 'StripeEventReceived'),
    );
    expect(await grantsOf('payer')).toBe(1);
    expect(await world.projectionViolations()).toEqual([]);
  });

  const grantsOf = async (customer: string): Promise<number> =>
    (await world.log()).filter(({ stream, type }) => stream === `account-${customer}` && type === 'CreditsGranted')
      .length;

  it('halts at an event that it cannot read, says where and why, and loses nothing', async () => {
    const store = await openEventStore({ kind: 'postgres', databaseUrl: world.postgres.url }, new SystemClock());
    const stream = 'account-poisoned';
    const metadata = {
      commandKey: null,
      commandHash: null,
      causationId: null,
      correlationId: 'poison',
      actor: 'cli',
      recordedAt: '2026-11-21T00:00:00.000Z',
    };
    const poison = encodeEvent(stream, 0, ZERO_HASH, {
      id: eventId(stream, 'cli', 'poison', 0),
      type: 'CreditsTeleported',
      schemaVersion: 1,
      data: {},
      metadata,
    });
    const appended = await store.append({ stream, expectedRevision: NO_STREAM, events: [poison] });
    await store.close();
    const position = appended.kind === 'appended' ? appended.position : '';
    await eventually(
      () => world.projections(),
      (all) =>
        all.some(
          ({ name, state, haltedPosition }) => name === 'balances' && state === 'halted' && haltedPosition === position,
        ),
    );
    const halted = (await world.projections()).filter(({ state }) => state === 'halted');
    for (const projection of halted) expect(projection.haltedReason).toContain('CreditsTeleported');
    // The write path does not care, and reads say that they are behind instead of guessing.
    const asked = await world.client.consume('acme-0', 1, 'after-poison');
    expect(asked.answer?.status).toBe(201);
    const after = (JSON.parse(asked.answer!.body) as { position: string }).position;
    const read = await world.client.get(`/v1/customers/acme-0/balance?minPosition=${after}&waitMs=200`);
    expect([read.status, read.body['code']]).toEqual([503, 'projection_behind']);
    for (const projection of await world.projections())
      if (projection.state === 'halted') expect(projection.position < position).toBe(true);
  });
});
