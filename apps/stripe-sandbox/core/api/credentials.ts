import { ApiError, invalid } from './errors.js';
import { NEWEST_VERSION } from './present.js';
import { OLDEST_VERSION } from './versions.js';

/** Refuses what is not a secret test key, as Stripe does. */
export function checkKey(apiKey: string | null): void {
  if (apiKey === null || apiKey === '') {
    throw new ApiError(401, {
      type: 'invalid_request_error',
      message:
        "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
    });
  }
  if (!/^(sk|rk)_test_/.test(apiKey)) {
    throw new ApiError(401, {
      type: 'invalid_request_error',
      message: 'Invalid API Key provided. The sandbox takes secret test keys (sk_test_…).',
    });
  }
}

/** Refuses a version that does not exist, and one whose shapes the sandbox does not know. */
export function checkVersion(version: string, param?: string): void {
  if (!/^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$/.test(version) || version.slice(0, 10) > NEWEST_VERSION.slice(0, 10))
    throw invalid(`Invalid Stripe API version: ${version}`, param);
  if (version.slice(0, 10) < OLDEST_VERSION)
    throw invalid(
      `The sandbox serves API versions from ${OLDEST_VERSION} to ${NEWEST_VERSION}, not ${version}.`,
      param,
    );
}

/** The refusal of a request for another account: the sandbox has one, and no Connect. */
export const foreignAccount = (apiKey: string, account: string): ApiError =>
  new ApiError(403, {
    type: 'invalid_request_error',
    code: 'account_invalid',
    doc_url: 'https://stripe.com/docs/error-codes/account-invalid',
    message: `The provided key '${apiKey.slice(0, 8)}…' does not have access to account '${account}' (or that account does not exist). Application access may have been revoked.`,
  });
