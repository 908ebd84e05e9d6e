import {
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  HEADERS_METADATA,
  HTTP_CODE_METADATA,
  INTERCEPTORS_METADATA,
  PIPES_METADATA,
  REDIRECT_METADATA,
  RENDER_METADATA,
  ROUTE_ARGS_METADATA,
  RouteParamtypes,
  SSE_METADATA,
} from '@nestjs/common/internal';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import 'reflect-metadata';
import { assert } from '#kernel/assert.js';
import type { ProblemAnswers } from './problem-answers.js';
import type { RouteDemands } from './route.js';
import type { Dto } from './dto.js';
import { checked } from './validation.js';

type Handler = (request: FastifyRequest, reply: FastifyReply) => void;
type Argument = (request: FastifyRequest, reply: FastifyReply) => unknown;
type Controller = new (...parts: never[]) => object;

/**
 * Has Fastify call the controllers' methods itself. Nest's own way to them, through guards, pipes and interceptors, makes a dozen
 * promises and closures for each request even where there are none of these, which is as much time as Fastify takes for all it
 * does. Routes are written, injected and described as ever; a controller that asks for that pipeline stops the start.
 */
export function callControllers(app: NestFastifyApplication, problems: ProblemAnswers): void {
  const server: FastifyInstance = app.getHttpAdapter().getInstance();
  problems.answerFor(server);
  server.addHook('onRoute', (route) => {
    const { controller, method } = (route.config ?? {}) as Partial<RouteDemands>;
    if (controller === undefined || method === undefined) return;
    const parameters = [...route.url.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
    route.handler = handlerOf(app.get(controller as Controller, { strict: false }), method, parameters, problems);
  });
}

/** A controller's method as a handler. `parameters`: those of the path, none of which may be empty. */
function handlerOf(instance: object, name: string, parameters: readonly string[], problems: ProblemAnswers): Handler {
  const method = (instance as Readonly<Record<string, (...given: unknown[]) => unknown>>)[name];
  assert(method !== undefined, `the controller has no method ${name}`);
  refuseForeign(instance, method);
  const taken = argumentsOf(instance, name);
  const status = Reflect.getMetadata(HTTP_CODE_METADATA, method) as number | undefined;
  return (request, reply) => {
    const inPath = request.params as Readonly<Record<string, string>>;
    for (const parameter of parameters) {
      if (inPath[parameter] === '') return void reply.callNotFound();
    }
    if (status !== undefined) void reply.code(status);
    try {
      const result = method.apply(
        instance,
        taken.map((take) => take(request, reply)),
      );
      if (result instanceof Promise) {
        result.catch((error: unknown) => {
          problems.answer(error, request, reply);
        });
      }
    } catch (error) {
      problems.answer(error, request, reply);
    }
  };
}

const foreign = [
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  HEADERS_METADATA,
  INTERCEPTORS_METADATA,
  PIPES_METADATA,
  REDIRECT_METADATA,
  RENDER_METADATA,
  SSE_METADATA,
];

function refuseForeign(instance: object, method: object): void {
  const found = foreign.filter(
    (key) => Reflect.hasMetadata(key, method) || Reflect.hasMetadata(key, instance.constructor),
  );
  assert(found.length === 0, `${instance.constructor.name} asks for what handlers do not do: ${found.join(', ')}`);
}

type Noted = { readonly index: number; readonly data?: unknown; readonly pipes: readonly unknown[] };

/** How each argument of a method is got from a request, in their order. */
function argumentsOf(instance: object, name: string): readonly Argument[] {
  const noted = (Reflect.getMetadata(ROUTE_ARGS_METADATA, instance.constructor, name) ?? {}) as Record<string, Noted>;
  const types = Reflect.getMetadata('design:paramtypes', instance, name) as readonly (Dto | undefined)[];
  const found: Argument[] = [];
  for (const [key, { index, data, pipes }] of Object.entries(noted)) {
    const argument = pipes.length > 0 ? null : argumentOf(Number(key.split(':', 1)[0]), data, types[index]);
    assert(argument !== null, `${instance.constructor.name}.${name} takes an argument that handlers do not know`);
    found[index] = argument;
  }
  assert(found.length === types.length && !found.includes(undefined as never), `${name} has an undecorated argument`);
  assert(
    Object.keys(noted).some((key) => key.startsWith(`${String(RouteParamtypes.RESPONSE)}:`)),
    `${instance.constructor.name}.${name} must take the reply and send its answer`,
  );
  return found;
}

function argumentOf(kind: RouteParamtypes, data: unknown, type: Dto | undefined): Argument | null {
  const hasRules = type !== undefined && (type as unknown) !== Object;
  if (kind === RouteParamtypes.PARAM && typeof data === 'string')
    return ({ params }) => (params as Readonly<Record<string, string>>)[data];
  if (data !== undefined) return null;
  switch (kind) {
    case RouteParamtypes.REQUEST:
      return (request) => request;
    case RouteParamtypes.RESPONSE:
      return (_, reply) => reply;
    case RouteParamtypes.BODY:
      return hasRules ? ({ body }) => checked(body, type) : ({ body }) => body;
    case RouteParamtypes.QUERY:
      return hasRules ? ({ query }) => checked(query, type) : ({ query }) => query;
    default:
      return null;
  }
}
