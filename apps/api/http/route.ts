import { applyDecorators } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiExtension, ApiSecurity } from '@nestjs/swagger';
import type { Scope } from '#records/scopes.js';
import { forPeople } from '../openapi/route-facts.js';
import type { RouteDemands } from './caller.js';

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
