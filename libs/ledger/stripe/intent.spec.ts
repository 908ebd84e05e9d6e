import { describe, expect, test } from '@jest/globals';
import { DecidedStream } from '../../../test/support/ledger/decided-stream.js';
import { stripeIntentDecider, type StripeIntentCommand, type StripeIntentState } from './intent.js';

const intend = {
  type: 'IntendStripeCall',
  intentId: 'customer.acme',
  customerId: 'acme',
  operation: 'create_customer',
  subject: {},
} as const;
const answer = (attempt: number, objectId = 'cus_1') =>
  ({ type: 'RecordStripeAnswer', attempt, objectType: 'customer', objectId }) as const;
const refuse = (attempt: number) =>
  ({ type: 'RecordStripeRefusal', attempt, status: 400, code: 'resource_missing' }) as const;
const again = (after: number) => ({ type: 'AttemptStripeCallAgain', after }) as const;

function after(...commands: readonly StripeIntentCommand[]): { state: StripeIntentState; outcomes: string[] } {
  const intent = new DecidedStream(stripeIntentDecider, '2026-10-01T00:01:00.000Z');
  const outcomes = commands.map((command) => intent.run(command)).filter((outcome) => outcome !== '');
  return { state: intent.state, outcomes };
}

describe('an intent', () => {
  test('is pending under one key, however often it is intended', () => {
    const { state, outcomes } = after(intend, intend);
    expect(outcomes).toEqual(['StripeCallIntended']);
    expect(state).toMatchObject({ status: 'pending', attempt: 1, idempotencyKey: 'scrip.customer.acme.1' });
  });

  test('keeps its first answer', () => {
    const { state, outcomes } = after(intend, answer(1), answer(1, 'cus_2'), refuse(1));
    expect(outcomes).toEqual(['StripeCallIntended', 'StripeCallAnswered']);
    expect(state).toMatchObject({ status: 'answered', objectId: 'cus_1' });
  });

  test('is tried again under another key after a refusal, once', () => {
    const { state, outcomes } = after(intend, refuse(1), again(1), again(1));
    expect(outcomes).toEqual(['StripeCallIntended', 'StripeCallRefused', 'StripeCallIntended']);
    expect(state).toMatchObject({ status: 'pending', attempt: 2, idempotencyKey: 'scrip.customer.acme.2' });
  });

  test('takes the answer to an earlier attempt, but not its refusal', () => {
    expect(after(intend, again(1), refuse(1)).state.status).toBe('pending');
    expect(after(intend, again(1), answer(1)).state).toMatchObject({ status: 'answered', objectId: 'cus_1' });
  });

  test('that nobody has knows no answer', () => {
    expect(after(answer(1)).outcomes).toEqual(['stripe_intent_not_found']);
  });
});
