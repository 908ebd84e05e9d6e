import type { FastifyInstance, RouteOptions } from 'fastify';
import type { RouteDemands } from './caller.js';

/** The routes of a server: which methods a path takes. Checks that every route under /v1 says who may use it. */
export class RouteTable {
  readonly #routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];

  /** Notes the routes that are added from now on, and gives each the bound of its body. */
  watch(server: FastifyInstance): void {
    server.addHook('onRoute', (route) => {
      this.#add(route);
    });
  }

  /** In the order of the alphabet; empty where the path leads nowhere. */
  methodsOf(url: string): readonly string[] {
    const path = url.split('?', 1)[0] ?? '';
    return [...new Set(this.#routes.flatMap(({ pattern, methods }) => (pattern.test(path) ? methods : [])))].sort();
  }

  #add(route: RouteOptions): void {
    const config = (route.config ?? {}) as Partial<RouteDemands>;
    if (route.url.startsWith('/v1') && config.demand === undefined)
      throw new Error(`the route ${route.url} does not say who may use it`);
    if (config.maxBody !== undefined) route.bodyLimit = config.maxBody;
    const pattern = new RegExp(`^${route.url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[^/]+/g, '[^/]+')}$`);
    this.#routes.push({ pattern, methods: [route.method].flat() });
  }
}
