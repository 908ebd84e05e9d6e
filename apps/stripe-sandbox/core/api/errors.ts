import type Stripe from 'stripe';

export type ErrorBody = {
  readonly type: 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error';
  readonly message: string;
  readonly code?: string;
  readonly param?: string;
  readonly decline_code?: string;
  readonly charge?: string;
  readonly doc_url?: string;
  readonly payment_intent?: Stripe.PaymentIntent;
  readonly payment_method?: Stripe.PaymentMethod;
  readonly setup_intent?: Stripe.SetupIntent;
};

/** A refusal in Stripe's own format. Nothing was changed, unless `keepsChanges`: a declined card leaves its failed charge. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    readonly body: ErrorBody,
    readonly keepsChanges = false,
  ) {
    super(body.message);
  }
}

/** 400 `invalid_request_error`. */
export const invalid = (message: string, param?: string, code?: string): ApiError =>
  new ApiError(400, {
    type: 'invalid_request_error',
    message,
    ...(param === undefined ? {} : { param }),
    ...(code === undefined
      ? {}
      : { code, doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll('_', '-')}` }),
  });

/** `No such customer: 'cus_1'`: 404 when the object is the address, 400 when it is a parameter. */
export const missing = (noun: string, id: string, param = 'id', status: 400 | 404 = 404): ApiError =>
  new ApiError(status, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    doc_url: 'https://stripe.com/docs/error-codes/resource-missing',
    message: `No such ${noun}: '${id}'`,
    param,
  });

/** 404 for the search addresses, which the sandbox does not serve. */
export const notSearched = (method: string, path: string): ApiError =>
  new ApiError(404, {
    type: 'invalid_request_error',
    message: `Unrecognized request URL (${method}: ${path}). The sandbox does not serve search: list ${path.replace(/\/search$/, '')} instead.`,
  });

/** 404 for an address that the sandbox does not serve. */
export const unknownUrl = (method: string, path: string): ApiError =>
  new ApiError(404, {
    type: 'invalid_request_error',
    message: `Unrecognized request URL (${method}: ${path}). The sandbox's README lists what it serves.`,
  });
