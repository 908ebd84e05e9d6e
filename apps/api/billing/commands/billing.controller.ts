import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { CheckoutOrder } from '#stripe/operations/checkout.js';
import { Answer } from '../../http/answer.js';
import type { ApiRequest } from '../../http/caller.js';
import { keyIn } from '../../http/idempotency-key.js';
import type { ProblemCode } from '../../http/problems.js';
import { Needs } from '../../http/route.js';
import { OtherRoute } from '../../openapi/api-docs.js';
import type { BillingAnswer } from './answers.js';
import type { Asking } from './request.js';
import {
  CancelBody,
  ChangeBody,
  CheckoutBody,
  FreePlanBody,
  PaymentIntentBody,
  PortalBody,
  ResumeBody,
} from './bodies.dto.js';
import { FreePlans } from './free-plans.js';
import { Portal } from './portal.js';
import { Purchases } from './purchases.js';
import { SubscriptionChanges } from './subscription-changes.js';

/** What only the routes that ask something of Stripe answer with. */
const atStripe: readonly ProblemCode[] = [
  'billing_disabled',
  'customer_erased',
  'stripe_refused',
  'stripe_unavailable',
];
const sale: readonly ProblemCode[] = ['plan_not_found', 'plan_not_for_sale', 'price_not_at_stripe'];
const fiveAMinute = 'At most five a minute are made for a customer, then 429; a repeated key is not counted.';

/** What customers buy and change at Stripe. */
@ApiTags('Billing')
@Controller('v1/customers/:customerId')
export class BillingController {
  constructor(
    private readonly purchases: Purchases,
    private readonly portals: Portal,
    private readonly subscriptions: SubscriptionChanges,
    private readonly freePlans: FreePlans,
  ) {}

  @Post('checkout-sessions')
  @HttpCode(201)
  @Needs('credits:write')
  @OtherRoute({
    id: 'createCheckoutSession',
    body: CheckoutBody,
    writes: true,
    key: 'optional',
    summary: 'A page of Stripe where a plan or credits are paid for',
    problems: [
      ...atStripe,
      ...sale,
      'account_closed',
      'already_subscribed',
      'credit_product_not_found',
      'credits_not_for_sale',
      'currency_unsupported',
      'amount_not_chargeable',
      'rate_limited',
    ],
    status: 201,
    answer: `\`{ id, url, expiresAt, position }\`. ${fiveAMinute}`,
  })
  async checkout(@Req() request: ApiRequest, @Body() body: CheckoutBody): Promise<Answer> {
    const urls = { successUrl: body.successUrl, cancelUrl: body.cancelUrl };
    return answer(201, await this.purchases.checkout(askingOf(request, false), orderOf(body), urls));
  }

  @Post('payment-intents')
  @HttpCode(201)
  @Needs('credits:write')
  @OtherRoute({
    id: 'createPaymentIntent',
    body: PaymentIntentBody,
    writes: true,
    key: 'required',
    summary: "A payment that the caller's own page collects",
    problems: [...atStripe, 'account_closed', 'currency_unsupported', 'amount_not_chargeable'],
    status: 201,
    answer: '`{ id, clientSecret, status, position }`',
  })
  async paymentIntent(
    @Req() request: ApiRequest,
    @Body() { amount, currency, description = null }: PaymentIntentBody,
  ): Promise<Answer> {
    const wanted = { amount, currency, description };
    return answer(201, await this.purchases.paymentIntent(askingOf(request, true), wanted));
  }

  @Post('portal-sessions')
  @HttpCode(201)
  @Needs('credits:write')
  @OtherRoute({
    id: 'createPortalSession',
    body: PortalBody,
    writes: true,
    key: 'optional',
    summary: 'A page of Stripe where a customer looks after subscription, cards and invoices',
    problems: [...atStripe, 'rate_limited'],
    status: 201,
    answer: `\`{ url, position }\`. ${fiveAMinute}`,
  })
  async portal(@Req() request: ApiRequest, @Body() body: PortalBody): Promise<Answer> {
    return answer(201, await this.portals.open(askingOf(request, false), body.returnUrl));
  }

  @Post('subscription')
  @HttpCode(201)
  @Needs('credits:write')
  @OtherRoute({
    id: 'startFreePlan',
    body: FreePlanBody,
    writes: true,
    key: 'optional',
    summary: 'Put a customer on a free plan',
    problems: ['account_closed', 'already_subscribed', 'customer_erased', 'plan_not_found', 'plan_not_free'],
    status: 201,
    answer: '`{ id, status, plan, interval, position }`',
  })
  async startFreePlan(@Req() request: ApiRequest, @Body() body: FreePlanBody): Promise<Answer> {
    return answer(201, await this.freePlans.start(askingOf(request, false), body.plan));
  }

  @Post('subscription/cancel')
  @HttpCode(200)
  @Needs('credits:write')
  @OtherRoute({
    id: 'cancelSubscription',
    body: CancelBody,
    writes: true,
    key: 'optional',
    summary: 'Cancel the subscription, now or when its period ends',
    problems: [...atStripe, 'subscription_not_found'],
    answer: 'The subscription as Stripe has it.',
  })
  async cancel(@Req() request: ApiRequest, @Body() body: CancelBody): Promise<Answer> {
    const change = { kind: 'cancel', atPeriodEnd: body.atPeriodEnd } as const;
    return answer(200, await this.subscriptions.cancelOrResume(askingOf(request, false), change));
  }

  @Post('subscription/resume')
  @HttpCode(200)
  @Needs('credits:write')
  @OtherRoute({
    id: 'resumeSubscription',
    body: ResumeBody,
    writes: true,
    key: 'optional',
    summary: 'Undo a cancellation or a pause',
    problems: [...atStripe, 'account_closed', 'subscription_not_found'],
    answer: 'The subscription as Stripe has it.',
  })
  async resume(@Req() request: ApiRequest, @Body() _body: ResumeBody): Promise<Answer> {
    return answer(200, await this.subscriptions.cancelOrResume(askingOf(request, false), { kind: 'resume' }));
  }

  @Post('subscription/change')
  @HttpCode(200)
  @Needs('credits:write')
  @OtherRoute({
    id: 'changeSubscription',
    body: ChangeBody,
    writes: true,
    key: 'required',
    summary: 'Change the plan or the interval, now or with the next period',
    problems: [...atStripe, ...sale, 'account_closed', 'subscription_not_found'],
    answer: 'The subscription as Stripe has it.',
  })
  async change(@Req() request: ApiRequest, @Body() { plan, interval, when }: ChangeBody): Promise<Answer> {
    return answer(200, await this.subscriptions.change(askingOf(request, true), { plan, interval, when }));
  }
}

const answer = (status: number, { body, replayed }: BillingAnswer): Answer => new Answer(status, body, replayed);

function askingOf(request: ApiRequest, keyRequired: boolean): Asking {
  const { customerId } = request.params as { customerId: string };
  return {
    customerId,
    key: keyIn(request, keyRequired),
    actor: request.caller?.actor ?? 'nobody',
    requestId: request.id,
  };
}

/** What is bought. The forms of the body have seen to it that it is exactly one thing. */
function orderOf({
  mode,
  plan = '',
  interval = 'month',
  creditProduct,
  quantity = 1,
  credits = 0,
}: CheckoutBody): CheckoutOrder {
  if (mode === 'subscription') return { mode, plan, interval };
  return creditProduct === undefined ? { mode, credits } : { mode, creditProduct, quantity };
}
