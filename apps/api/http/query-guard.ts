import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import 'reflect-metadata';
import { Problem } from './problems.js';
import type { RouteDemands } from './route.js';

/** A query whose fields are all known. Routes without one take no query, see `QueryGuard`. */
export abstract class CheckedQuery {}

/** Commands name the account's unit in the query or in the body. */
const takenByCommands: ReadonlySet<string> = new Set(['unit']);
const nothing: ReadonlySet<string> = new Set();

/**
 * Refuses unknown query parameters where no class of parameters does: queries whose class is checked know their own, commands
 * take `unit`, all else takes none. Routes outside /v1 and those for Stripe, whose addresses others write, take anything.
 */
@Injectable()
export class QueryGuard implements CanActivate {
  readonly #taken = new WeakMap<object, ReadonlySet<string> | null>();

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { demand, rawBody } = request.routeOptions.config as Partial<RouteDemands>;
    const given = Object.keys(request.query as object);
    if (given.length === 0 || demand === undefined || rawBody === true) return true;
    const taken = this.#takenBy(context, request.routeOptions.url ?? '');
    const unknown = taken === null ? [] : given.filter((name) => !taken.has(name));
    if (unknown.length === 0) return true;
    const field = unknown.find((name) => /^[\w.-]{1,64}$/.test(name)) ?? '(unprintable)';
    throw new Problem('invalid_request', { errors: [{ field, message: 'is not a known field' }] });
  }

  /** The parameters of a route; null where their class checks them. */
  #takenBy(context: ExecutionContext, url: string): ReadonlySet<string> | null {
    const handler = context.getHandler();
    const known = this.#taken.get(handler);
    if (known !== undefined) return known;
    const controller = context.getClass().prototype as object;
    const parameters = Reflect.getMetadata('design:paramtypes', controller, handler.name) as readonly unknown[];
    const isChecked = parameters.some((type) => typeof type === 'function' && type.prototype instanceof CheckedQuery);
    const taken = isChecked ? null : accountCommand.test(url) ? takenByCommands : nothing;
    this.#taken.set(handler, taken);
    return taken;
  }
}

/** The routes that `streamOf` finds the account of. */
const accountCommand = /^\/v1\/customers\/:customerId\/(grants|consumptions|holds|adjustments|transfers|account)(\/|$)/;
