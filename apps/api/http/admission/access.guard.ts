import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { isCustomerId } from '#kernel/stream-name.js';
import { hasScope, type ApiRequest } from '../caller.js';
import { Problem } from '../problem.js';

/** Lets a caller do what their scopes and the customer in the path allow. Who they are is known by then. Throws Problem. */
@Injectable()
export class AccessGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.getArgByIndex<ApiRequest>(0);
    const demand = request.demands?.demand ?? null;
    if (demand === null) return true;
    const { customerId } = request.params as { readonly customerId?: string };
    const { scopes } = demand;
    if (scopes !== 'none') {
      const { caller } = request;
      if (caller === null) throw new Problem('unauthenticated');
      if (caller.ownCustomerId === null) {
        if (!scopes.some((scope) => hasScope(caller, scope))) throw new Problem('forbidden');
      } else if (!demand.people) throw new Problem('forbidden');
      else if (customerId !== caller.ownCustomerId) throw new Problem('customer_not_found');
    }
    if (customerId !== undefined && !isCustomerId(customerId)) {
      throw new Problem('invalid_request', { errors: [{ field: 'customerId', message: 'must be a customer id' }] });
    }
    return true;
  }
}
