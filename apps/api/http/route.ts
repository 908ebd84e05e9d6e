import { applyDecorators } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBearerAuth } from '@nestjs/swagger';
import type { Scope } from '#read-store/api-key-scopes.js';
import type { Demand } from './caller.js';

/** What the server must know of a route before its handler runs. */
export type RouteDemands = {
  readonly demand: Demand;
  /** The handler gets the body as bytes, whatever its type. */
  readonly rawBody: boolean;
  /** Bytes; the server's own limit when absent. */
  readonly maxBody?: number;
};

/**
 * Says who may use a route. Every route under /v1 needs it or `Public`, else the server does not start.
 * `people`: also the people of the customer in the path, for their own customer.
 */
export const Needs = (scope: Scope, options: { readonly people?: boolean } = {}): MethodDecorator & ClassDecorator =>
  applyDecorators(
    RouteConfig({ demand: { scope, people: options.people === true }, rawBody: false } satisfies RouteDemands),
    ApiBearerAuth(),
  );

/** A route without login. */
export const Public = (
  options: { readonly rawBody?: boolean; readonly maxBody?: number } = {},
): MethodDecorator & ClassDecorator =>
  RouteConfig({
    demand: { scope: 'none', people: true },
    rawBody: options.rawBody === true,
    ...(options.maxBody === undefined ? {} : { maxBody: options.maxBody }),
  } satisfies RouteDemands);
