import { Injectable } from '@nestjs/common';
import { ApiContext } from '../../api-context.js';
import { Problem } from '../../http/problem.js';

export type ReturnUrls = { readonly successUrl: string | undefined; readonly cancelUrl: string | undefined };

/** What is set for the pages of Stripe that customers are led to. */
@Injectable()
export class PurchaseSettings {
  constructor(private readonly context: ApiContext) {}

  /** The member of Stripe's metadata that names the customer. */
  get customerKey(): string {
    return this.context.config.stripe.customerKey;
  }

  /** Taxes, and where the buyer comes back to. Throws the problem `invalid_request` where no address is known. */
  ofSession({ successUrl, cancelUrl }: ReturnUrls) {
    const { automaticTax, taxRates } = this.context.config.stripe;
    return {
      successUrl: successUrl ?? this.#returnUrl('successUrl'),
      cancelUrl: cancelUrl ?? withoutSession(successUrl ?? this.#returnUrl('cancelUrl')),
      automaticTax,
      taxRates: automaticTax ? [] : taxRates,
    };
  }

  /** Where the customer comes back to from the portal. Throws the problem `invalid_request` where no address is known. */
  ofPortal(returnUrl: string | undefined): string {
    return returnUrl ?? withoutSession(this.#returnUrl('returnUrl'));
  }

  #returnUrl(field: string): string {
    const { returnUrl } = this.context.config.stripe;
    const message = 'is needed here, because STRIPE_RETURN_URL is not set';
    if (returnUrl === null) throw new Problem('invalid_request', { errors: [{ field, message }] });
    return returnUrl;
  }
}

/** Stripe puts the session's id only into the address after a purchase; elsewhere its place would stay as it is written. */
function withoutSession(address: string): string {
  const member = /([?&])[^?&#=]*=\{CHECKOUT_SESSION_ID\}(&?)/g;
  const before = address.replace(member, (_, first: string, next: string) => (next === '' ? '' : first));
  return before.replaceAll('{CHECKOUT_SESSION_ID}', '');
}
