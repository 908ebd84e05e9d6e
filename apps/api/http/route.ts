import { applyDecorators } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiExtension, ApiSecurity } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { Scope } from '#read-store/api-key-scopes.js';
import { forPeople } from '../openapi/route-facts.js';
import type { Demand } from './caller.js';

/** What the server must know of a route. */
export type RouteDemands = {
  /** Null: no login, and no place among those for work; whoever runs the process must get an answer when it has none left. */
  readonly demand: Demand | null;
  /** The handler gets the body as bytes, whatever its type. */
  readonly rawBody: boolean;
  /** Bytes; the server's own limit when absent. */
  readonly maxBody?: number;
};

/** What the route that a request was found demands; nothing where there is none, or it is no controller's. */
export const demandsOf = (request: FastifyRequest): Partial<RouteDemands> => request.routeOptions.config as object;

/**
 * Says who may use a route. Every route under /v1 needs it or `Public`, else the server does not start.
 * `people`: also the people of the customer in the path, for their own customer.
 */
export const Needs = (scope: Scope, options: { readonly people?: boolean } = {}): MethodDecorator =>
  applyDecorators(
    demanding({ demand: { scope, people: options.people === true }, rawBody: false }),
    ApiSecurity('personToken'),
    ApiSecurity('apiKey', [scope]),
    ApiExtension(forPeople, options.people === true),
  );

/** A route for who runs the process. */
export const ForOperations = (): MethodDecorator => demanding({ demand: null, rawBody: false });

/** A route without login. */
export const Public = (options: { readonly rawBody?: boolean; readonly maxBody?: number } = {}): MethodDecorator =>
  demanding({
    demand: { scope: 'none', people: true },
    rawBody: options.rawBody === true,
    ...(options.maxBody === undefined ? {} : { maxBody: options.maxBody }),
  });

const demanding = (demands: RouteDemands): MethodDecorator => RouteConfig(demands);
