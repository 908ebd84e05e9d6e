import { Problem } from './problems.js';
import type { RouteDemands } from './route.js';

/** The routes that `streamOf` finds the account of. They name its unit in the query or in the body. */
const accountCommand = /^\/v1\/customers\/:customerId\/(grants|consumptions|holds|adjustments|transfers|account)(\/|$)/;

/**
 * The problem with a query that has parameters which the route does not know; null when there is none. Queries whose class is
 * checked know their own, commands take `unit`, all else takes none; the route for Stripe, whose address others write, takes
 * anything.
 */
export function unknownQuery(
  { checksQuery, rawBody, url }: Pick<RouteDemands, 'checksQuery' | 'rawBody'> & { readonly url: string },
  query: unknown,
): Problem | null {
  if (checksQuery || rawBody) return null;
  for (const name in query as object) {
    if (name === 'unit' && accountCommand.test(url)) continue;
    const field = /^[\w.-]{1,64}$/.test(name) ? name : '(unprintable)';
    return new Problem('invalid_request', { errors: [{ field, message: 'is not a known field' }] });
  }
  return null;
}
