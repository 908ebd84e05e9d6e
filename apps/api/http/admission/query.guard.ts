import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Problem } from '../problem.js';

/** Refuses parameters that a route does not know whose query has no class of its own. Throws the problem `invalid_request`. */
export class QueryGuard implements CanActivate {
  constructor(private readonly known: readonly string[]) {}

  canActivate(context: ExecutionContext): boolean {
    const { query } = context.getArgByIndex<FastifyRequest>(0);
    for (const name in query as object) {
      if (this.known.includes(name)) continue;
      const field = /^[\w.-]{1,64}$/.test(name) ? name : '(unprintable)';
      throw new Problem('invalid_request', { errors: [{ field, message: 'is not a known field' }] });
    }
    return true;
  }
}
