import { accountStream, DEFAULT_UNIT, isUnit, type StreamName } from '#kernel/stream-name.js';
import type { ApiRequest } from '../../http/caller.js';
import { isDryRun } from '../../http/dry-run.js';
import { keyIn } from '../../http/idempotency-key.js';
import { Problem } from '../../http/problem.js';
import type { AccountIntent } from './intents.js';
import type { AccountOrder } from './run-account-command.js';

/**
 * What a request for one account asks: by whom, under which key, of which of the customer's accounts. `unit`: as the body names it.
 * Throws Problem.
 */
export function orderIn(
  request: ApiRequest,
  unit: string | undefined,
  { command, fingerprint }: AccountIntent,
  keyRequired: boolean,
): AccountOrder {
  const { customerId } = request.params as { readonly customerId: string };
  const { unit: inQuery } = request.query as { readonly unit?: unknown };
  const dryRun = isDryRun(request);
  return {
    command,
    fingerprint,
    stream: streamOf(customerId, inQuery, unit),
    key: keyIn(request, keyRequired && !dryRun),
    actor: request.caller?.actor ?? 'nobody',
    requestId: request.id,
    dryRun,
  };
}

/** The account that a path, a query and a body name together. */
function streamOf(customerId: string, inQuery: unknown, inBody: string | undefined): StreamName {
  if (inQuery === undefined) return accountStream(customerId, inBody ?? DEFAULT_UNIT);
  if (typeof inQuery !== 'string' || !isUnit(inQuery)) throw invalid('must be a unit');
  if (inBody !== undefined && inBody !== inQuery) throw invalid('is one in the query and another in the body');
  return accountStream(customerId, inQuery);
}

const invalid = (message: string): Problem => new Problem('invalid_request', { errors: [{ field: 'unit', message }] });
