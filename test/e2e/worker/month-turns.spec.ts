import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { instantOf, type Instant } from '#kernel/instant.js';
import { anniversary } from '#ledger/subscription/paid-month.js';
import type { AccountCommand } from '#ledger/account/commands.js';
import type { ApiClient } from '../../support/api/client.js';
import { RunningScrip } from '../../support/processes/running-scrip.js';

const WAIT_MS = 6000;

/** Each month has 100 credits and turns at `turn`. */
const turning: Readonly<Record<string, (turn: Instant) => AccountCommand>> = {
  'a paid year': (turn) => ({
    ...{ type: 'GrantPeriod', subscriptionId: 'sub_1', itemId: 'si_1', interval: 'year', creditsPerMonth: 100 },
    ...{ periodStart: anniversary(turn, -1), periodEnd: anniversary(turn, 11), prorated: false, rolloverCap: 0 },
    ...{ cost: { amount: 12_000, currency: 'usd' }, paymentReference: 'in_1', lines: [], metadata: {} },
  }),
  'a free plan': (turn) => ({
    ...{ type: 'KeepFreeMonths', subscriptionId: 'free_x', planId: 'free' },
    months: [
      { start: anniversary(turn, -1), end: turn, amount: 100 },
      { start: turn, end: anniversary(turn, 1), amount: 100 },
    ],
  }),
};

describe('with no worker at all, the next month', () => {
  let scrip: RunningScrip;
  let api: ApiClient;

  beforeAll(async () => {
    scrip = await RunningScrip.prepare();
    ({ client: api } = await scrip.startApi());
  });
  afterAll(async () => {
    await scrip.stop();
  });

  it.each(Object.entries(turning))('of %s can be spent from its first instant on', async (name, command) => {
    const customer = name.replaceAll(' ', '-');
    const use = (key: string) => api.post(`/v1/customers/${customer}/consumptions`, { amount: 100 }, key);
    const turnMs = Date.now() + WAIT_MS;
    await scrip.writer.account(customer, command(instantOf(turnMs)));
    expect((await use('first')).status).toBe(201);
    const early: number[] = [];
    let askedAt = Date.now();
    let answer = await use('try-0');
    for (let index = 1; answer.status !== 201 && askedAt < turnMs + WAIT_MS; index += 1) {
      early.push(askedAt);
      askedAt = Date.now();
      answer = await use(`try-${String(index)}`);
    }
    expect(answer.status).toBe(201);
    // Whatever was asked from the turn on has got its credits.
    expect(early.filter((at) => at >= turnMs)).toEqual([]);
    expect(early.length).toBeGreaterThan(0);
  });
});
