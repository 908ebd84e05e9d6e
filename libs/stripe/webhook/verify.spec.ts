import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import Stripe from 'stripe';
import { stripeEvent } from '../../../test/support/stripe/events.js';
import { readWebhook } from './verify.js';

const now = Date.parse('2026-10-01T00:00:10.000Z');
const secret = 'whsec_now';
const text = JSON.stringify(stripeEvent('checkout.session.completed.endive'));
const signed = (payload: string, by = secret, at = now) =>
  Stripe.webhooks.generateTestHeaderString({ payload, secret: by, timestamp: Math.floor(at / 1000) });
const read = (body: string, signature: string | string[] | undefined, secrets = [secret]) =>
  readWebhook({ rawBody: Buffer.from(body), signature, secrets, now });

describe('a webhook', () => {
  test('that Stripe signed is read, with its envelope', () => {
    expect(read(text, signed(text))).toMatchObject({
      kind: 'event',
      event: {
        stripeEventId: 'evt_session_new',
        stripeType: 'checkout.session.completed',
        livemode: false,
        created: '2026-10-01T00:00:05.000Z',
      },
    });
  });

  test('signed by any of the secrets is read, while one replaces the other', () => {
    expect(read(text, signed(text, 'whsec_old'), ['whsec_new', 'whsec_old']).kind).toBe('event');
    const both = `${signed(text, 'whsec_other')},${signed(text).split(',')[1] ?? ''}`;
    expect(read(text, both).kind).toBe('event');
  });

  test.each([
    ['no header', undefined, 'missing'],
    ['an empty header', '', 'missing'],
    ['two headers', [signed(text), signed(text)], 'malformed'],
    ['a header without time', 'v1=00', 'malformed'],
    ['a header with two times', `t=1,${signed(text)}`, 'malformed'],
    ['a time that is no number', signed(text).replace(/t=\d+/, 't=abc'), 'malformed'],
    ['a forged signature', signed(text, 'whsec_forged'), 'mismatch'],
    ['a truncated signature', signed(text).slice(0, -2), 'mismatch'],
    ['only a v0 signature', signed(text).replace('v1=', 'v0='), 'mismatch'],
    ['a time moved without signing', signed(text).replace(/t=\d+/, `t=${String(now / 1000 + 1)}`), 'mismatch'],
    ['a signature of 301 s ago', signed(text, secret, now - 301_000), 'outside_tolerance'],
    ['a signature of 301 s ahead', signed(text, secret, now + 301_000), 'outside_tolerance'],
  ])('with %s is refused', (_what, header, reason) => {
    expect(read(text, header)).toEqual({ kind: 'invalid_signature', reason });
  });

  test('whose bytes are no UTF-8 is checked by its bytes', () => {
    const rawBody = Buffer.concat([
      Buffer.from('{"id":"evt_1","name":"'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}'),
    ]);
    const seconds = String(now / 1000);
    const by = (key: string): string =>
      `t=${seconds},v1=${createHmac('sha256', key).update(`${seconds}.`).update(rawBody).digest('hex')}`;
    const reading = (signature: string) => readWebhook({ rawBody, signature, secrets: ['whsec_old', secret], now });
    expect(reading(by(secret))).toEqual({ kind: 'unreadable', reason: 'not_json' });
    for (const signature of [by('whsec_forged'), by(secret).slice(0, -1), `t=${seconds},v1=00`])
      expect(reading(signature)).toEqual({ kind: 'invalid_signature', reason: 'mismatch' });
  });

  test('of 300 s to either side is read', () => {
    expect(read(text, signed(text, secret, now - 300_000)).kind).toBe('event');
    expect(read(text, signed(text, secret, now + 300_000)).kind).toBe('event');
  });

  test('whose body was changed after signing is refused', () => {
    expect(read(`${text} `, signed(text))).toMatchObject({ reason: 'mismatch' });
  });

  test('is never accepted without a usable secret', () => {
    expect(read(text, signed(text), [])).toMatchObject({ reason: 'mismatch' });
    expect(read(text, signed(text), ['', ' '])).toMatchObject({ reason: 'mismatch' });
  });

  test.each([
    ['{"id":', 'not_json'],
    ['"text"', 'not_an_event'],
    ['[]', 'not_an_event'],
    ['{"object":"event"}', 'not_an_event'],
    ['{"id":"evt 1"}', 'not_an_event'],
  ])('with the body %s is unreadable', (body, reason) => {
    expect(read(body, signed(body))).toEqual({ kind: 'unreadable', reason });
  });

  test('of the v2 API is kept with the object that it names', () => {
    const body = JSON.stringify({
      ...{ id: 'evt_test_65R-1.b:2', object: 'v2.core.event', type: 'v1.billing.meter.no_meter_found' },
      ...{ created: '2026-09-30T23:59:58.123Z', livemode: false },
      related_object: { id: 'mtr_1', type: 'billing.meter', url: '/v1/billing/meters/mtr_1' },
    });
    expect(read(body, signed(body))).toEqual({
      kind: 'event',
      event: {
        stripeEventId: 'evt_test_65R-1.b:2',
        stripeType: 'v1.billing.meter.no_meter_found',
        created: '2026-09-30T23:59:58.123Z',
        livemode: false,
        apiVersion: null,
        payload: { account: null, request: null, data: null, related_object: { id: 'mtr_1', type: 'billing.meter' } },
      },
    });
  });

  test('with a mistyped envelope is kept with harmless values', () => {
    const body = JSON.stringify({
      id: 'evt_1',
      type: 7,
      created: 'now',
      livemode: 'yes',
      api_version: 'x'.repeat(300),
    });
    expect(read(body, signed(body))).toEqual({
      kind: 'event',
      event: {
        stripeEventId: 'evt_1',
        stripeType: 'unknown',
        created: '2026-10-01T00:00:10.000Z',
        livemode: false,
        apiVersion: null,
        payload: { account: null, request: null, data: null },
      },
    });
  });

  test('nested a hundred thousand deep is read without harm', () => {
    const body = `{"id":"evt_1","type":"x","data":{"object":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`;
    expect(read(body, signed(body)).kind).toBe('event');
  });
});
