import { applyDecorators } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiExtension, ApiSecurity } from '@nestjs/swagger';
import type { Scope } from '#records/scopes.js';
import { canDryRun, forPeople } from '../openapi/route-facts.js';
import type { RouteDemands } from './caller.js';

/**
 * Says who may use a route. Every route under /v1 needs it or `Public`, else the server does not start.
 * `people`: also the people of the customer in the path, for their own customer. `dryRun`: its command can be decided without being
 * recorded. `or`: another scope that is enough.
 */
export const Needs = (
  scope: Scope,
  { people = false, dryRun = false, or }: { people?: boolean; dryRun?: boolean; or?: Scope } = {},
): MethodDecorator => {
  const scopes = or === undefined ? [scope] : [scope, or];
  return applyDecorators(
    demanding({ demand: { scopes, people }, rawBody: false, dryRun }),
    ApiSecurity('personToken'),
    ...scopes.map((each) => ApiSecurity('apiKey', [each])),
    ApiExtension(forPeople, people),
    ApiExtension(canDryRun, dryRun),
  );
};

/** A route for who runs the process. */
export const ForOperations = (): MethodDecorator => demanding({ demand: null, rawBody: false });

/** A route without login. */
export const Public = (options: { readonly rawBody?: boolean; readonly maxBody?: number } = {}): MethodDecorator =>
  demanding({
    demand: { scopes: 'none', people: true },
    rawBody: options.rawBody === true,
    ...(options.maxBody === undefined ? {} : { maxBody: options.maxBody }),
  });

const demanding = (demands: RouteDemands): MethodDecorator => RouteConfig(demands);
