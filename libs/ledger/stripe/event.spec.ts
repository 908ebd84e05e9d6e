import { describe, expect, test } from '@jest/globals';
import { DecidedStream } from '../../../test/support/ledger/decided-stream.js';
import { stripeEventDecider, type ParkReason, type StripeEventCommand } from './event.js';

const at = '2026-10-01T00:00:00.000Z';

const receive: StripeEventCommand = {
  type: 'ReceiveStripeEvent',
  stripeEventId: 'evt_1',
  stripeType: 'refund.updated',
  created: at,
  livemode: false,
  apiVersion: null,
  payload: null,
};
const retry: StripeEventCommand = { type: 'RequestRetry' };
const translated: StripeEventCommand = { type: 'RecordTranslation', effects: ['RecordRefund payment-pi_1'] };
const parked = (code: ParkReason['code'], subject: string | null): StripeEventCommand => ({
  type: 'ParkStripeEvent',
  reason: { code, subject, detail: '' },
});

const ofSettlement = ['currency_mismatch', 'account_refused', 'too_large', 'internal_error'] as const;

describe.each(ofSettlement)('an event whose payment cannot be settled (%s)', (code) => {
  const unsettled = parked(code, 'payment-pi_1');

  test('waits also where it was translated, until it is tried again', () => {
    const event = new DecidedStream(stripeEventDecider, at).given(receive, translated);
    expect([unsettled, unsettled, translated].map((command) => event.run(command))).toEqual([
      'StripeEventParked',
      '',
      '',
    ]);
    expect([retry, translated].map((command) => event.run(command))).toEqual([
      'StripeEventRetryRequested',
      'StripeEventTranslated',
    ]);
    expect(event.run(unsettled)).toBe('StripeEventParked');
  });

  test('waits on where its translation is recorded after that', () => {
    const event = new DecidedStream(stripeEventDecider, at).given(receive, unsettled);
    expect(event.run(translated)).toBe('');
    expect(event.state.reason?.code).toBe(code);
  });

  test('waits for what it needs to be translated first', () => {
    const event = new DecidedStream(stripeEventDecider, at).given(receive, parked('unknown_customer', 'cus_1'));
    expect(event.run(unsettled)).toBe('');
    expect([translated, unsettled].map((command) => event.run(command))).toEqual([
      'StripeEventTranslated',
      'StripeEventParked',
    ]);
  });
});

test.each([
  ['account_refused', 'account-acme'],
  ['too_large', null],
  ['internal_error', null],
  ['unknown_price', 'payment-pi_1'],
] as const)('an event that cannot be translated (%s of %s) waits only until it is', (code, subject) => {
  const event = new DecidedStream(stripeEventDecider, at).given(receive, parked(code, subject));
  expect(event.run(translated)).toBe('StripeEventTranslated');
  expect(event.run(parked(code, subject))).toBe('');
});
