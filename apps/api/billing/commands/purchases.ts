import { Injectable } from '@nestjs/common';
import { instantOf } from '#kernel/instant.js';
import { paymentIntentOperation, sessionOperation } from '#stripe/operations/operation.js';
import { sessionParams, type CheckoutOrder } from '#stripe/operations/checkout.js';
import { unchargeable } from '#stripe/operations/money.js';
import { Problem } from '../../http/problem.js';
import { BillingAnswers, type BillingAnswer } from './answers.js';
import { BillingChecks } from './checks.js';
import { callFor, requestOf, type Asking, type BillingRequest } from './request.js';
import { PurchaseSettings, type ReturnUrls } from './purchase-settings.js';
import { Sales } from './sales.js';
import { StripeConnection } from '../stripe/connection.js';
import { StripeCustomers } from '../stripe/customers.js';

type WantedPayment = { readonly amount: number; readonly currency: string; readonly description: string | null };

/** What customers buy at Stripe. Every call that changes something there goes through the outbox. */
@Injectable()
export class Purchases {
  constructor(
    private readonly settings: PurchaseSettings,
    private readonly connection: StripeConnection,
    private readonly answers: BillingAnswers,
    private readonly checks: BillingChecks,
    private readonly sales: Sales,
    private readonly customers: StripeCustomers,
  ) {}

  /** A page of Stripe's where the order is paid for. Throws Problem. */
  checkout(asking: Asking, order: CheckoutOrder, urls: ReturnUrls): Promise<BillingAnswer> {
    const request = requestOf(asking, 'create_checkout_session', { ...order, ...urls });
    return this.answers.once(request, () => this.#newSession(request, order, urls));
  }

  async #newSession(
    request: BillingRequest<'create_checkout_session'>,
    order: CheckoutOrder,
    urls: ReturnUrls,
  ): Promise<BillingAnswer> {
    const client = this.connection.forRequest();
    const sale = await this.sales.of(order);
    const settings = this.settings.ofSession(urls);
    const { customerId, id: intentId } = request;
    await this.checks.isOpen(customerId);
    const isNew = (await this.answers.objectOf(request)) === null;
    const wanted = isNew ? await this.sales.to(request, sale, client) : sale;
    const call = callFor(request, order);
    await this.checks.isInTurn('checkout', customerId, call);
    return this.customers.withPrimary(request, client, (stripeCustomerId) => {
      const who = { customerId, stripeCustomerId, intentId, customerKey: this.settings.customerKey };
      const operation = sessionOperation(sessionParams(wanted, who, settings), stripeCustomerId, intentId);
      return this.answers.after(request, { ...call, operation, client }, ({ id, url, expires_at }) => ({
        id,
        url,
        expiresAt: instantOf(expires_at * 1000),
      }));
    });
  }

  /** A payment that the caller's own page collects. Throws Problem. */
  paymentIntent(asking: Asking, wanted: WantedPayment): Promise<BillingAnswer> {
    const request = requestOf(asking, 'create_payment_intent', wanted);
    return this.answers.once(request, () => this.#newPaymentIntent(request, wanted));
  }

  async #newPaymentIntent(
    request: BillingRequest<'create_payment_intent'>,
    wanted: WantedPayment,
  ): Promise<BillingAnswer> {
    const { amount, currency } = wanted;
    const reason = unchargeable({ amount, currency });
    if (reason !== null) throw new Problem(reason === 'currency' ? 'currency_unsupported' : 'amount_not_chargeable');
    const client = this.connection.forRequest();
    const { customerId, id: intentId } = request;
    await this.checks.isOpen(customerId);
    const call = callFor(request, { amount, currency });
    return this.customers.withPrimary(request, client, (stripeCustomerId) => {
      const who = { customerId, stripeCustomerId, intentId, customerKey: this.settings.customerKey };
      const operation = paymentIntentOperation({ money: { amount, currency }, description: wanted.description }, who);
      return this.answers.after(request, { ...call, operation, client }, ({ id, client_secret, status }) => ({
        id,
        clientSecret: client_secret,
        status,
      }));
    });
  }
}
