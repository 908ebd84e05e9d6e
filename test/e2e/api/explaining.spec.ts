import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiAnswer, ApiClient } from '../../support/api/client.js';
import { RunningScrip } from '../../support/processes/running-scrip.js';

describe('what is told about an account', () => {
  let scrip: RunningScrip;
  let api: ApiClient;

  beforeAll(async () => {
    scrip = await RunningScrip.prepare();
    [{ client: api }] = await Promise.all([scrip.startApi(), scrip.startWorker()]);
  });

  afterAll(async () => {
    await scrip.stop();
  });

  let keys = 0;
  const command = (customer: string, route: string, body: object): Promise<ApiAnswer> => {
    keys += 1;
    return api.post(`/v1/customers/${customer}/${route}`, body, `key-${String(keys)}`);
  };
  const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();

  it('forecasts when the credits run out and what expires unused', async () => {
    const brief = await command('forecast', 'grants', { amount: 50, source: 'trial', expiresAt: inDays(2) });
    await command('forecast', 'grants', { amount: 100, source: 'purchase' });
    const { body: used } = await command('forecast', 'consumptions', { amount: 30 });
    await command('forecast', `consumptions/${used.id}/reversals`, { amount: 10 });
    const { body: held } = await command('forecast', 'holds', { amount: 5 });
    const { status, body } = await api.get(`/v1/customers/forecast/forecast?minPosition=${held.position}`);
    expect([status, body]).toMatchObject([
      200,
      {
        customerId: 'forecast',
        unit: 'credits',
        available: 125,
        // A day, for the account is younger; 20 of it in all.
        perDay: '20',
        expiringUnused: [{ grantId: brief.body.id, at: brief.body['expiresAt'], amount: 50 }],
        basis: { consumed: 20 },
        asOf: { position: held.position },
      },
    ]);
    // 75 purchased ones are spent first; by then the others have expired.
    expect(body['daysLeft']).toBe(3.75);
    const { from, to } = body['basis'] as { from: string; to: string };
    expect(Date.parse(to) - Date.parse(from)).toBe(86_400_000);
    expect(Date.parse(String(body['runsOutAt'])) - Date.parse(to)).toBe(3.75 * 86_400_000);
  });

  it('forecasts nothing for who consumes nothing', async () => {
    await api.call('PUT', '/v1/customers/idle', { body: {} });
    const nothing = { available: 0, perDay: '0', daysLeft: null, runsOutAt: null, expiringUnused: [] };
    expect((await api.get('/v1/customers/idle/forecast')).body).toMatchObject(nothing);
    const { body } = await command('idle', 'grants', { amount: 7, source: 'purchase' });
    const forecast = await api.get(`/v1/customers/idle/forecast?minPosition=${body.position}`);
    expect(forecast.body).toMatchObject({ ...nothing, available: 7 });
    expect((await api.get('/v1/customers/idle/forecast?unit=points')).body).toMatchObject({
      unit: 'points',
      available: 0,
    });
    expect((await api.get('/v1/customers/unheard-of/forecast')).body.code).toBe('customer_not_found');
  });
});
