import { applyDecorators } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiExtension, ApiSecurity } from '@nestjs/swagger';
import type { Scope } from '#read-store/api-key-scopes.js';
import 'reflect-metadata';
import { forPeople } from '../openapi/route-facts.js';
import type { Demand } from './caller.js';

/** What the server must know of a route. */
export type RouteDemands = {
  /** The method that answers: the class it belongs to, and its name. */
  readonly controller: object;
  readonly method: string;
  /** Null: no login, and no place among those for work; whoever runs the process must get an answer when it has none left. */
  readonly demand: Demand | null;
  /** The handler gets the body as bytes, whatever its type. */
  readonly rawBody: boolean;
  /** Bytes; the server's own limit when absent. */
  readonly maxBody?: number;
  /** A class says which fields the query has, and which are unknown. */
  readonly checksQuery: boolean;
};

/** A query whose fields are all known. Routes without one take no query, but for the unit of a command. */
export abstract class CheckedQuery {}

/** Decorates a route with what the server must know of it. */
const demanding =
  (demands: Pick<RouteDemands, 'demand' | 'rawBody' | 'maxBody'>): MethodDecorator =>
  (prototype, name, descriptor) => {
    const parameters = Reflect.getMetadata('design:paramtypes', prototype, name) as readonly unknown[];
    const checksQuery = parameters.some((type) => typeof type === 'function' && type.prototype instanceof CheckedQuery);
    const method = { controller: prototype.constructor, method: String(name) };
    RouteConfig({ ...demands, ...method, checksQuery } satisfies RouteDemands)(prototype, name, descriptor);
  };

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
