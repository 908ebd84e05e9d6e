import type { Behaviour } from '../../core/model.js';

export type TestCard = {
  readonly name: string;
  readonly number: string;
  readonly brand: string;
  readonly behaviour: Behaviour;
};

const succeeds: Behaviour = { charge: 'succeed' };
const declined = (declineCode: string, errorCode = 'card_declined'): Behaviour => ({
  charge: 'decline',
  declineCode,
  errorCode,
  refusesAttach: true,
});

const card = (name: string, number: string, behaviour: Behaviour, brand = 'visa'): TestCard => ({
  name,
  number,
  brand,
  behaviour,
});

/** Stripe's test cards: `pm_card_<name>`, `tok_<name>` and the number itself all mean the same card. */
export const testCards: readonly TestCard[] = [
  card('visa', '4242424242424242', succeeds),
  card('visa_debit', '4000056655665556', succeeds),
  card('mastercard', '5555555555554444', succeeds, 'mastercard'),
  card('amex', '378282246310005', succeeds, 'amex'),
  card('discover', '6011111111111117', succeeds, 'discover'),
  card('bypassPending', '4000000000000077', succeeds),
  card('chargeDeclined', '4000000000000002', declined('generic_decline')),
  card('visa_chargeDeclined', '4000000000000002', declined('generic_decline')),
  card('chargeDeclinedInsufficientFunds', '4000000000009995', declined('insufficient_funds')),
  card('visa_chargeDeclinedInsufficientFunds', '4000000000009995', declined('insufficient_funds')),
  card('chargeDeclinedLostCard', '4000000000009987', declined('lost_card')),
  card('chargeDeclinedStolenCard', '4000000000009979', declined('stolen_card')),
  card('chargeDeclinedFraudulent', '4100000000000019', declined('fraudulent')),
  card('chargeDeclinedExpiredCard', '4000000000000069', declined('expired_card', 'expired_card')),
  card('chargeDeclinedIncorrectCvc', '4000000000000127', declined('incorrect_cvc', 'incorrect_cvc')),
  card('chargeDeclinedProcessingError', '4000000000000119', declined('processing_error', 'processing_error')),
  card('chargeCustomerFail', '4000000000000341', {
    charge: 'decline',
    declineCode: 'generic_decline',
    errorCode: 'card_declined',
  }),
  card('visa_chargeCustomerFail', '4000000000000341', {
    charge: 'decline',
    declineCode: 'generic_decline',
    errorCode: 'card_declined',
  }),
  card('authenticationRequiredOnSetup', '4000002500003155', { charge: 'succeed', authentication: 'until_set_up' }),
  card('authenticationRequired', '4000002760003184', { charge: 'succeed', authentication: 'always' }),
  card('threeDSecure2Required', '4000000000003220', { charge: 'succeed', authentication: 'always' }),
  card('authenticationRequiredChargeDeclinedInsufficientFunds', '4000008260003178', {
    charge: 'decline',
    declineCode: 'insufficient_funds',
    errorCode: 'card_declined',
    authentication: 'always',
  }),
  card('createDispute', '4000000000000259', { charge: 'succeed', dispute: { reason: 'fraudulent', inquiry: false } }),
  card('createDisputeProductNotReceived', '4000000000002685', {
    charge: 'succeed',
    dispute: { reason: 'product_not_received', inquiry: false },
  }),
  card('createDisputeInquiry', '4000000000001976', {
    charge: 'succeed',
    dispute: { reason: 'fraudulent', inquiry: true },
  }),
  card('pendingRefund', '4000000000007726', { charge: 'succeed', refund: 'pending' }),
  card('refundFail', '4000000000005126', { charge: 'succeed', refund: 'fail' }),
];

/** The bank accounts of Stripe's SEPA tests: what the debit does once the bank has answered. */
const testAccounts: Readonly<Record<string, Behaviour>> = {
  AT861904300235473202: { charge: 'async_fail' },
  AT051904300235473205: { charge: 'async_fail' },
  IT60X0542811101000000123456: { charge: 'async_fail' },
  AT591904300235473203: {
    charge: 'async_succeed',
    dispute: { reason: 'debit_not_authorized', inquiry: false, outcome: 'lost' },
  },
};

export const cardOfNumber = (number: string): TestCard | null =>
  testCards.find((known) => known.number === number) ?? null;
export const cardOfName = (name: string): TestCard | null => testCards.find((known) => known.name === name) ?? null;

/** Any other well-formed account pays after the usual delay. */
export const behaviourOfAccount = (iban: string): Behaviour => testAccounts[iban] ?? { charge: 'async_succeed' };
