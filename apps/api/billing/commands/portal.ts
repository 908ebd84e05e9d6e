import { Injectable } from '@nestjs/common';
import { portalOperation } from '#stripe/operations/operation.js';
import { BillingAnswers, type BillingAnswer } from './answers.js';
import { BillingChecks } from './checks.js';
import { callFor, requestOf, type Asking, type BillingRequest } from './request.js';
import { PurchaseSettings } from './purchase-settings.js';
import { StripeConnection } from '../stripe/connection.js';
import { StripeCustomers } from '../stripe/customers.js';
import { StripeSubscriptions } from '../stripe/subscriptions.js';

/** Leads customers to the page of Stripe where they look after subscription, cards and invoices. */
@Injectable()
export class Portal {
  constructor(
    private readonly settings: PurchaseSettings,
    private readonly connection: StripeConnection,
    private readonly answers: BillingAnswers,
    private readonly checks: BillingChecks,
    private readonly customers: StripeCustomers,
    private readonly subscriptions: StripeSubscriptions,
  ) {}

  /** Throws Problem. */
  open(asking: Asking, returnUrl: string | undefined): Promise<BillingAnswer> {
    const request = requestOf(asking, 'create_portal_session', { returnUrl });
    return this.answers.once(request, () => this.#newSession(request, returnUrl));
  }

  async #newSession(
    request: BillingRequest<'create_portal_session'>,
    returnUrl: string | undefined,
  ): Promise<BillingAnswer> {
    const client = this.connection.forRequest();
    const address = this.settings.ofPortal(returnUrl);
    const call = callFor(request, {});
    await this.checks.isInTurn('portal', request.customerId, call);
    const open = (stripeCustomerId: string): Promise<BillingAnswer> => {
      const operation = portalOperation(stripeCustomerId, address);
      return this.answers.after(request, { ...call, operation, client }, ({ url }) => ({ url }));
    };
    const running = await this.subscriptions.running(request, client);
    const payer = running?.stripeCustomerId ?? null;
    return payer === null ? this.customers.withPrimary(request, client, open) : open(payer);
  }
}
