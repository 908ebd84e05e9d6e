import type Stripe from 'stripe';
import { ApiError, invalid } from '../../core/api/errors.js';
import type { PaymentMethod, SetupIntent } from '../../core/model.js';
import type { Params } from '../../core/api/params.js';
import { NEWEST_VERSION, present } from '../../core/api/present.js';
import { listing, matching, type Route } from '../../core/api/route.js';
import type { Tx } from '../../core/tx.js';
import { customerOf } from '../customers/customers.js';
import { attach, methodFromParams, payingMethod } from './methods.js';
import { messageOf } from './objects.js';

const usages = ['off_session', 'on_session'] as const;
const confirmParams = ['return_url', 'mandate_data', 'payment_method_options', 'use_stripe_sdk', 'single_use'] as const;
const reasons = ['abandoned', 'duplicate', 'requested_by_customer'] as const;

type NewSetup = Pick<SetupIntent, 'customer' | 'description' | 'payment_method_types'> & {
  readonly metadata: Record<string, string>;
  readonly method?: string | null;
  readonly usage?: (typeof usages)[number];
  readonly allowed?: readonly string[] | null;
  readonly session?: string | null;
};

/** A new setup intent with its event: a method is to be saved without being charged. */
export function newSetupIntent(tx: Tx, given: NewSetup): SetupIntent {
  const id = tx.newId('setup_intent');
  const method = given.method ?? null;
  const intent: SetupIntent = {
    id,
    object: 'setup_intent',
    allowed_payment_method_types: given.allowed == null ? null : [...given.allowed],
    application: null,
    automatic_payment_methods: null,
    cancellation_reason: null,
    client_secret: `${id}_secret_${tx.code('client_secret', 25)}`,
    created: tx.now,
    customer: given.customer,
    customer_account: null,
    description: given.description,
    excluded_payment_method_types: null,
    flow_directions: null,
    last_setup_error: null,
    latest_attempt: null,
    livemode: false,
    managed_payments: null,
    mandate: null,
    metadata: given.metadata,
    next_action: null,
    on_behalf_of: null,
    payment_method: method,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: [...given.payment_method_types],
    single_use_mandate: null,
    status: method === null ? 'requires_payment_method' : 'requires_confirmation',
    usage: given.usage ?? 'off_session',
    sandbox: { session: given.session ?? null },
  };
  return tx.create('setup_intent', intent, 'setup_intent.created');
}

function fail(tx: Tx, intent: SetupIntent, method: PaymentMethod, error: { code: string; message: string }): never {
  const { behaviour } = method.sandbox;
  const decline = behaviour.declineCode === undefined ? {} : { decline_code: behaviour.declineCode };
  const failed: SetupIntent = {
    ...intent,
    last_setup_error: {
      ...error,
      ...decline,
      doc_url: `https://stripe.com/docs/error-codes/${error.code.replaceAll('_', '-')}`,
      payment_method: present(method, NEWEST_VERSION) as Stripe.PaymentMethod,
      type: 'card_error',
    },
    next_action: null,
    payment_method: null,
    status: 'requires_payment_method',
  };
  tx.put('setup_intent', intent.id, failed);
  tx.emit('setup_intent.setup_failed', failed);
  const shown = present(failed, NEWEST_VERSION) as Stripe.SetupIntent;
  throw new ApiError(402, { type: 'card_error', ...error, ...decline, setup_intent: shown }, true);
}

/**
 * Saves a method: attaches it to the intent's customer, if it has one. A card that wants it asks for authentication first, unless
 * its owner has `authenticated`. 402 when the card is declined; that it was tried stays recorded.
 */
export function setUp(tx: Tx, before: SetupIntent, method: PaymentMethod, authenticated: boolean): SetupIntent {
  const intent: SetupIntent = { ...before, payment_method: method.id, last_setup_error: null, next_action: null };
  const { behaviour } = method.sandbox;
  if (behaviour.refusesAttach === true)
    fail(tx, intent, method, { code: behaviour.errorCode ?? 'card_declined', message: messageOf(behaviour) });
  if (behaviour.authentication !== undefined && !authenticated) {
    const url = `${tx.site}/authenticate/${intent.id}`;
    const asking: SetupIntent = {
      ...intent,
      next_action: { type: 'redirect_to_url', redirect_to_url: { return_url: null, url } },
      status: 'requires_action',
    };
    tx.put('setup_intent', intent.id, asking);
    tx.emit('setup_intent.requires_action', asking);
    return asking;
  }
  const ready: PaymentMethod =
    behaviour.authentication === 'until_set_up' ? { ...method, sandbox: { behaviour: { charge: 'succeed' } } } : method;
  tx.put('payment_method', ready.id, ready);
  if (intent.customer !== null) attach(tx, ready, intent.customer);
  const done: SetupIntent = { ...intent, status: 'succeeded' };
  tx.put('setup_intent', intent.id, done);
  tx.emit('setup_intent.succeeded', done);
  return done;
}

const unexpected = (intent: SetupIntent, what: string): ApiError =>
  invalid(
    `You cannot ${what} this SetupIntent because it has a status of ${intent.status}.`,
    undefined,
    'setup_intent_unexpected_state',
  );

function confirm(tx: Tx, intent: SetupIntent, params: Params): SetupIntent {
  params.accept(...confirmParams);
  const data = params.child('payment_method_data');
  const given = params.text('payment_method') ?? intent.payment_method;
  if (!['requires_payment_method', 'requires_confirmation', 'requires_action'].includes(intent.status))
    throw unexpected(intent, 'confirm');
  if (data === undefined && given === null) {
    throw invalid(
      'You cannot confirm this SetupIntent because it is missing a payment method.',
      'payment_method',
      'setup_intent_unexpected_state',
    );
  }
  return setUp(
    tx,
    intent,
    data === undefined ? payingMethod(tx, given ?? '', intent.customer) : methodFromParams(tx, data),
    false,
  );
}

function create(tx: Tx, params: Params): SetupIntent {
  params.accept('flow_directions');
  const customer = params.text('customer');
  if (customer !== undefined) customerOf(tx, customer, 'customer');
  const automatic = params.child('automatic_payment_methods');
  automatic?.accept('allow_redirects');
  const enabled = automatic?.flag('enabled');
  const allowed = params.texts('allowed_payment_method_types') ?? null;
  const wantsConfirm = params.flag('confirm') ?? false;
  const method = wantsConfirm ? undefined : params.text('payment_method');
  const usage = params.oneOf('usage', usages);
  const intent = newSetupIntent(tx, {
    customer: customer ?? null,
    description: params.emptyable('description') ?? null,
    metadata: params.metadata(),
    method: method === undefined ? null : payingMethod(tx, method, customer ?? null).id,
    payment_method_types: [...(params.texts('payment_method_types') ?? allowed ?? ['card', 'sepa_debit'])],
    allowed,
    ...(usage === undefined ? {} : { usage }),
  });
  const complete: SetupIntent = {
    ...intent,
    automatic_payment_methods: enabled === undefined ? null : { enabled, allow_redirects: 'always' },
  };
  tx.put('setup_intent', intent.id, complete);
  return wantsConfirm ? confirm(tx, complete, params) : complete;
}

function update(tx: Tx, id: string, params: Params): SetupIntent {
  const intent = tx.need('setup_intent', id);
  params.accept('payment_method_options', 'payment_method_types');
  const customer = params.text('customer');
  if (customer !== undefined) customerOf(tx, customer, 'customer');
  const method = params.text('payment_method');
  const description = params.emptyable('description');
  if (method !== undefined && ['succeeded', 'canceled'].includes(intent.status)) throw unexpected(intent, 'update');
  const changed: SetupIntent = {
    ...intent,
    customer: customer ?? intent.customer,
    description: description === undefined ? intent.description : description,
    metadata: params.metadata(intent.metadata),
    ...(method === undefined
      ? {}
      : { payment_method: payingMethod(tx, method, customer ?? intent.customer).id, status: 'requires_confirmation' }),
  };
  return tx.update('setup_intent', changed, null);
}

/** Cancels a setup intent that is not done; does nothing to one that is. */
export function cancelSetup(tx: Tx, id: string, reason: SetupIntent['cancellation_reason']): SetupIntent {
  const intent = tx.need('setup_intent', id);
  if (['succeeded', 'canceled', 'processing'].includes(intent.status)) return intent;
  const canceled: SetupIntent = { ...intent, cancellation_reason: reason, next_action: null, status: 'canceled' };
  tx.put('setup_intent', id, canceled);
  tx.emit('setup_intent.canceled', canceled);
  return canceled;
}

/** The customer's answer to an authentication that was asked for. A failed one is recorded, not thrown. */
export function authenticateSetup(tx: Tx, id: string, passes: boolean): void {
  const intent = tx.need('setup_intent', id);
  if (intent.status !== 'requires_action' || intent.payment_method === null) return;
  const method = tx.need('payment_method', intent.payment_method);
  if (passes) {
    setUp(tx, intent, method, true);
    return;
  }
  const error = {
    code: 'setup_intent_authentication_failure',
    message:
      'The latest attempt to set up the payment method has failed because it could not be authenticated. Try another one.',
  };
  try {
    fail(tx, intent, method, error);
  } catch (refusal) {
    if (!(refusal instanceof ApiError)) throw refusal;
  }
}

export const setupIntentRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/setup_intents', run: ({ tx, params }) => create(tx, params) },
  {
    method: 'GET',
    path: '/v1/setup_intents/:id',
    run: ({ tx, id, params }) => {
      params.accept('client_secret');
      return tx.need('setup_intent', id);
    },
  },
  { method: 'POST', path: '/v1/setup_intents/:id', run: ({ tx, id, params }) => update(tx, id, params) },
  {
    method: 'POST',
    path: '/v1/setup_intents/:id/confirm',
    run: ({ tx, id, params }) => confirm(tx, tx.need('setup_intent', id), params),
  },
  {
    method: 'POST',
    path: '/v1/setup_intents/:id/cancel',
    run: ({ tx, id, params }) => {
      const intent = tx.need('setup_intent', id);
      const reason = params.oneOf('cancellation_reason', reasons) ?? null;
      if (intent.sandbox.session !== null)
        throw invalid('This SetupIntent belongs to a Checkout Session. To cancel it, expire the session.', 'intent');
      if (['succeeded', 'canceled', 'processing'].includes(intent.status)) throw unexpected(intent, 'cancel');
      return cancelSetup(tx, id, reason);
    },
  },
  listing('setup_intent', '/v1/setup_intents', (params) => {
    const [customer, method] = [params.text('customer'), params.text('payment_method')];
    return (intent) =>
      matching(customer, (value) => intent.customer === value) &&
      matching(method, (value) => intent.payment_method === value);
  }),
];
