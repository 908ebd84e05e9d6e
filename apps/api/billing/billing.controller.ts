import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { Wish } from '#stripe/outbound-checkout.js';
import { keyIn } from '../accounts/account-service.js';
import type { ApiRequest } from '../http/caller.js';
import { success } from '../http/outcomes.js';
import { Problem, type ProblemCode } from '../http/problems.js';
import { Needs } from '../http/route.js';
import { send, sendJson } from '../http/send.js';
import { OtherRoute } from '../openapi/api-docs.js';
import type { BillingAnswer } from './billing-answers.js';
import { BillingService, type Asking } from './billing-service.js';
import {
  CancelBody,
  ChangeBody,
  CheckoutBody,
  FreePlanBody,
  PaymentIntentBody,
  PortalBody,
  ResumeBody,
} from './billing.dto.js';

const guarded: readonly ProblemCode[] = [
  'invalid_request',
  'unauthenticated',
  'forbidden',
  'conflict',
  'overloaded',
  'store_unavailable',
  'outcome_unknown',
];
const atStripe: readonly ProblemCode[] = [
  ...guarded,
  'billing_disabled',
  'customer_erased',
  'idempotency_key_reused',
  'stripe_refused',
  'stripe_unavailable',
];
const sale: readonly ProblemCode[] = ['plan_not_found', 'plan_not_for_sale', 'price_not_at_stripe'];
const fiveAMinute = 'At most five a minute are made for a customer, then 429; a repeated key is not counted.';
const key = (required: boolean): MethodDecorator =>
  ApiHeader({
    name: 'Idempotency-Key',
    required,
    description: 'Names the request for ever: the same key and body get the first answer again.',
    schema: { type: 'string', minLength: 1, maxLength: 255, example: 'order-1001' },
  });

/** What customers buy and change at Stripe. */
@ApiTags('Billing')
@Controller('v1/customers/:customerId')
export class BillingController {
  constructor(private readonly billing: BillingService) {}

  @Post('checkout-sessions')
  @HttpCode(201)
  @Needs('credits:write')
  @key(false)
  @ApiBody({ type: CheckoutBody, examples: checkoutExamples() })
  @OtherRoute({
    summary: 'A page of Stripe where a plan or credits are paid for',
    problems: [
      ...atStripe,
      ...sale,
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
  async checkout(@Req() request: ApiRequest, @Body() body: CheckoutBody, @Res() reply: FastifyReply): Promise<void> {
    const urls = { successUrl: body.successUrl, cancelUrl: body.cancelUrl };
    answer(reply, 201, await this.billing.checkout(askingOf(request, false), wishOf(body), urls));
  }

  @Post('payment-intents')
  @HttpCode(201)
  @Needs('credits:write')
  @key(true)
  @ApiBody({ type: PaymentIntentBody })
  @OtherRoute({
    summary: "A payment that the caller's own page collects",
    problems: [...atStripe, 'idempotency_key_required', 'currency_unsupported', 'amount_not_chargeable'],
    status: 201,
    answer: '`{ id, clientSecret, status, position }`',
  })
  async paymentIntent(
    @Req() request: ApiRequest,
    @Body() { amount, currency, description = null }: PaymentIntentBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const wanted = { amount, currency, description };
    answer(reply, 201, await this.billing.paymentIntent(askingOf(request, true), wanted));
  }

  @Post('portal-sessions')
  @HttpCode(201)
  @Needs('credits:write')
  @ApiBody({ type: PortalBody })
  @OtherRoute({
    summary: 'A page of Stripe where a customer looks after subscription, cards and invoices',
    problems: [...atStripe, 'rate_limited'],
    status: 201,
    answer: `\`{ url, position }\`. ${fiveAMinute}`,
  })
  async portal(@Req() request: ApiRequest, @Body() body: PortalBody, @Res() reply: FastifyReply): Promise<void> {
    answer(reply, 201, await this.billing.portal(askingOf(request, false), body.returnUrl));
  }

  @Post('subscription')
  @HttpCode(201)
  @Needs('credits:write')
  @ApiBody({ type: FreePlanBody })
  @OtherRoute({
    summary: 'Put a customer on a free plan',
    problems: [...guarded, 'already_subscribed', 'customer_erased', 'plan_not_found', 'plan_not_free'],
    status: 201,
    answer: '`{ id, status, plan, interval, position }`',
  })
  async startFreePlan(
    @Req() request: ApiRequest,
    @Body() body: FreePlanBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    sendJson(reply, await this.billing.startFreePlan(askingOf(request, false), body.plan), 201);
  }

  @Post('subscription/cancel')
  @HttpCode(200)
  @Needs('credits:write')
  @key(false)
  @ApiBody({ type: CancelBody })
  @OtherRoute({
    summary: 'Cancel the subscription, now or when its period ends',
    problems: [...atStripe, 'subscription_not_found'],
    answer: 'The subscription as Stripe has it.',
  })
  async cancel(@Req() request: ApiRequest, @Body() body: CancelBody, @Res() reply: FastifyReply): Promise<void> {
    const wish = { kind: 'cancel', atPeriodEnd: body.atPeriodEnd } as const;
    answer(reply, 200, await this.billing.cancelOrResume(askingOf(request, false), wish));
  }

  @Post('subscription/resume')
  @HttpCode(200)
  @Needs('credits:write')
  @key(false)
  @OtherRoute({
    summary: 'Undo a cancellation or a pause',
    problems: [...atStripe, 'subscription_not_found'],
    answer: 'The subscription as Stripe has it.',
  })
  async resume(@Req() request: ApiRequest, @Body() _body: ResumeBody, @Res() reply: FastifyReply): Promise<void> {
    answer(reply, 200, await this.billing.cancelOrResume(askingOf(request, false), { kind: 'resume' }));
  }

  @Post('subscription/change')
  @HttpCode(200)
  @Needs('credits:write')
  @key(true)
  @ApiBody({ type: ChangeBody })
  @OtherRoute({
    summary: 'Change the plan or the interval, now or with the next period',
    problems: [...atStripe, ...sale, 'idempotency_key_required', 'subscription_not_found'],
    answer: 'The subscription as Stripe has it.',
  })
  async change(
    @Req() request: ApiRequest,
    @Body() { plan, interval, when }: ChangeBody,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    answer(reply, 200, await this.billing.change(askingOf(request, true), { plan, interval, when }));
  }
}

const answer = (reply: FastifyReply, status: number, { body, replayed }: BillingAnswer): void => {
  send(reply, success(status, body, replayed));
};

function askingOf(request: ApiRequest, keyRequired: boolean): Asking {
  const { customerId } = request.params as { customerId: string };
  return {
    customerId,
    key: keyIn(request, keyRequired),
    actor: request.caller?.actor ?? 'nobody',
    requestId: request.id,
  };
}

const members = ['plan', 'interval', 'creditProduct', 'quantity', 'credits'] as const;

/** Exactly one way of buying; a field of another one is a mistake that would otherwise go unseen. */
function wishOf(body: CheckoutBody): Wish {
  const { mode, plan, interval, creditProduct, quantity, credits } = body;
  const refuse = (field: string, message: string): never => {
    throw new Problem('invalid_request', { errors: [{ field, message }] });
  };
  const only = (...allowed: readonly (typeof members)[number][]): void => {
    const stray = members.find((member) => body[member] !== undefined && !allowed.includes(member));
    if (stray !== undefined) refuse(stray, 'does not belong to what is bought');
  };
  if (mode === 'subscription') {
    only('plan', 'interval');
    if (plan === undefined) return refuse('plan', 'is needed for a subscription');
    if (interval === undefined) return refuse('interval', 'is needed for a subscription');
    return { mode, plan, interval };
  }
  if (creditProduct !== undefined) {
    only('creditProduct', 'quantity');
    return { mode, creditProduct, quantity: quantity ?? 1 };
  }
  only('credits');
  return credits === undefined ? refuse('creditProduct', 'send either creditProduct or credits') : { mode, credits };
}

function checkoutExamples() {
  const successUrl = 'https://app.example/billing';
  return {
    pack: { value: { mode: 'credits', creditProduct: 'pack-1000', quantity: 2, successUrl } },
    credits: { value: { mode: 'credits', credits: 250, successUrl } },
    plan: { value: { mode: 'subscription', plan: 'starter', interval: 'month', successUrl } },
  };
}
