import { expect, test } from '@jest/globals';
import type { Json } from '#kernel/json.js';
import { stripeEvent, stripeFixtures } from '../../../test/support/stripe/events.js';
import { redact } from './redact.js';

test.each(stripeFixtures)('nothing of a person is left of %s', (name) => {
  const text = JSON.stringify(redact(stripeEvent(name).data as unknown as Json));
  for (const personal of ['jenny', 'Rosen', '4917', 'Linden', 'Berlin', '10117', 'DE123456789']) {
    expect(text.toLowerCase()).not.toContain(personal.toLowerCase());
  }
  expect(text).toMatch(/"object":"[a-z_.]+"/);
  expect(text.length).toBeGreaterThan(200);
});

test('personal data is left out at any depth, also of metadata; ids, amounts, brand and last four digits stay', () => {
  const charge = {
    id: 'ch_1',
    amount: 100,
    billing_details: { email: 'a@b.c' },
    receipt_email: 'a@b.c',
    metadata: { customer_id: 'acme', email: 'a@b.c', name: 'A' },
    payment_method_details: {
      card: { brand: 'visa', last4: '4242', exp_month: 1, exp_year: 2030, fingerprint: 'f', country: 'US' },
    },
    refunds: {
      data: [{ id: 're_1', payer: { account_holder_name: 'A' }, ip_address: '10.0.0.1', client_ip: '10.0.0.1' }],
    },
  };
  expect(redact(charge)).toEqual({
    id: 'ch_1',
    amount: 100,
    metadata: { customer_id: 'acme' },
    payment_method_details: { card: { brand: 'visa', last4: '4242', country: 'US' } },
    refunds: { data: [{ id: 're_1' }] },
  });
});

test.each([
  ...[
    'customerEmail',
    'userName',
    'e-mail',
    'phoneNumber',
    'E-Mail',
    'User Name',
    'emailAddress',
    'fullname',
    'username',
  ],
  ...['clientIP', 'IPAddress', 'phone-no', 'contact.email', 'billingDetails', 'taxId', 'Telephone_Number', 'birthday'],
])('metadata in any style of writing is recognised: %s', (key) => {
  expect(redact({ metadata: { [key]: 'x' } })).toEqual({ metadata: {} });
});

test.each([
  ...['customer_id', 'customerId', 'orderID', 'planId', 'creditProduct', 'unit', 'membership', 'recipe', 'invoice_pdf'],
  ...['hosted_invoice_url', 'company', 'renamed_at', 'japan', 'tip', 'email_verified'],
])('what names nobody stays: %s', (key) => {
  expect(redact({ [key]: 'x' })).toEqual({ [key]: 'x' });
});
