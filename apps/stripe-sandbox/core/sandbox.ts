import { checkKey, checkVersion, foreignAccount } from './api/credentials.js';
import { ApiError, invalid, notSearched, unknownUrl } from './api/errors.js';
import { expand, type Included } from './api/expand.js';
import { makeId } from './ids.js';
import { Params, fingerprint, type Branch } from './api/params.js';
import { DAY } from './period.js';
import { NEWEST_VERSION, isKind, isRecord, present } from './api/present.js';
import type { Route } from './api/route.js';
import type { Task } from './timers.js';
import { Tx } from './tx.js';
import { forgetOld, queueDeliveries } from './webhooks.js';
import type { RequestInfo, World } from './world.js';

export type Request = {
  readonly method: string;
  readonly path: string;
  readonly params: Branch;
  readonly apiKey: string | null;
  readonly idempotencyKey: string | null;
  readonly version: string | null;
  /** Of the `Stripe-Account` or `Stripe-Context` header. */
  readonly account?: string | null;
};
export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

export type Program = {
  readonly routes: readonly Route[];
  readonly included: Included;
  readonly runTask: (tx: Tx, task: Task) => void;
};

/** More follow-ups than this in one step is a loop. */
const maxFollowUps = 1000;

type Compiled = { readonly route: Route; readonly pattern: RegExp };

/**
 * The state machine: a request or the clock goes in, an answer and events come out. It does no IO and knows no time but
 * what `advanceTo` tells it, so the same inputs always give the same world.
 */
export class Sandbox {
  readonly #compiled: readonly Compiled[];
  readonly #inFlight = new Set<string>();

  constructor(
    readonly world: World,
    readonly program: Program,
  ) {
    this.#compiled = program.routes.map((route) => ({
      route,
      pattern: new RegExp(`^${route.path.replaceAll('.', '\\.').replaceAll(/:[a-z]+/g, '([^/]+)')}$`),
    }));
  }

  /** What a page of Stripe's asks for on behalf of who sits before it: no act of Stripe's own, so a request with an id. */
  requestOfPage(): RequestInfo {
    this.world.sequence += 1;
    return { id: makeId('req', this.world.seed, this.world.sequence), idempotency_key: null };
  }

  /** Runs one step: what `work` does, and what follows from it, is kept together or not at all. */
  step<T>(work: (tx: Tx) => T, request?: RequestInfo, version?: string): T {
    const tx = new Tx(this.world, request, version);
    try {
      const result = work(tx);
      this.#finish(tx);
      return result;
    } catch (error) {
      if (error instanceof ApiError && error.keepsChanges) this.#finish(tx);
      throw error;
    }
  }

  /** When the next timer is due; null when none waits. */
  nextTimer(): number | null {
    return this.world.timers.peek()?.at ?? null;
  }

  /** Does the timed work of the next instant, if it lies before or at `until`; false when there is none. */
  runNextInstant(until: number): boolean {
    const at = this.nextTimer();
    if (at === null || at > until) return false;
    this.world.now = Math.max(this.world.now, at);
    for (
      let timer = this.world.timers.peek();
      timer !== undefined && timer.at <= at;
      timer = this.world.timers.peek()
    ) {
      this.world.timers.pop();
      const { task } = timer;
      if (task.task === 'advance_clock') this.#advanceClock(task.id);
      else this.#tryStep((tx) => this.program.runTask(tx, task));
    }
    return true;
  }

  /** Moves a test clock to where it was told to go, doing the work of its customers on the way in order. */
  #advanceClock(id: string): void {
    const clock = this.world.tables['test_helpers.test_clock'].get(id);
    const target = clock?.status_details.advancing?.target_frozen_time;
    if (target === undefined) return;
    const timers = this.world.timersOf(id);
    for (let timer = timers.peek(); timer !== undefined && timer.at <= target; timer = timers.peek()) {
      timers.pop();
      const { at, task } = timer;
      this.#tryStep((tx) => {
        tx.moveClock(id, at);
        this.program.runTask(tx, task);
      });
    }
    this.step((tx) => {
      const there = { ...tx.moveClock(id, target), status: 'ready', status_details: {} } as const;
      tx.update('test_helpers.test_clock', there, 'test_helpers.test_clock.ready');
    });
  }

  /** A step of its own accord, which a rule of Stripe's may refuse. */
  #tryStep(work: (tx: Tx) => void): void {
    try {
      this.step(work);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  /** Moves the clock forward, doing all timed work on the way in order. Never moves it back. */
  advanceTo(time: number): void {
    while (this.runNextInstant(time));
    this.#moveTo(Math.max(this.world.now, time));
  }

  /** Marks an idempotency key as being worked on; false when it already is. */
  reserve(key: string): boolean {
    if (this.#inFlight.has(key)) return false;
    this.#inFlight.add(key);
    return true;
  }

  release(key: string): void {
    this.#inFlight.delete(key);
  }

  /** Answers one API request. Never throws for what a client did. */
  handle(request: Request): Answer {
    this.world.sequence += 1;
    const requestId = makeId('req', this.world.seed, this.world.sequence);
    const key = request.method === 'POST' ? request.idempotencyKey : null;
    const print = key === null ? '' : `${request.method} ${request.path} ${fingerprint(request.params)}`;
    const version = request.version ?? NEWEST_VERSION;
    try {
      checkKey(request.apiKey);
      if (request.account != null) throw foreignAccount(request.apiKey ?? '', request.account);
      checkVersion(version);
      if (key !== null) {
        if (key.length > 255) throw invalid('Idempotency keys must be at most 255 characters.');
        const kept = this.world.answers.get(key);
        if (kept !== undefined) return replay(key, kept, print, requestId, version);
      }
      const body = this.#run(request, { id: requestId, idempotency_key: key }, version);
      return this.#answer(request, 200, body, { key, print, requestId, version });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const log = `${this.world.site}/?request=${requestId}`;
      const body = JSON.stringify({ error: { ...error.body, request_log_url: log } }, null, 2);
      return this.#answer(request, error.status, body, { key, print, requestId, version });
    }
  }

  /** What has passed its retention goes once a day, so that a long move of the clock stays within bounds. */
  #moveTo(time: number): void {
    const newDay = Math.floor(time / DAY) !== Math.floor(this.world.now / DAY);
    this.world.now = time;
    if (newDay) forgetOld(this.world);
  }

  #run(request: Request, info: RequestInfo, version: string): string {
    const { params: branch } = request;
    const paths = new Params(branch).texts('expand') ?? [];
    branch.delete('expand');
    if (/^\/v1\/[a-z_]+\/search$/.test(request.path)) throw notSearched(request.method, request.path);
    for (const { route, pattern } of this.#compiled) {
      if (route.method !== request.method || version.slice(0, 10) >= (route.until ?? '9')) continue;
      const match = pattern.exec(request.path);
      if (match === null) continue;
      const ids = match.slice(1).map(decoded);
      return this.#runRoute(route, { ids, paths, branch, path: request.path }, info, version);
    }
    throw unknownUrl(request.method, request.path);
  }

  #runRoute(
    route: Route,
    given: { ids: readonly string[]; paths: readonly string[]; branch: Branch; path: string },
    info: RequestInfo,
    version: string,
  ): string {
    const params = new Params(given.branch);
    const work = (tx: Tx): string => {
      const result = route.run({
        tx,
        params,
        ids: given.ids,
        id: given.ids[0] ?? '',
        path: given.path,
        world: this.world,
      });
      params.finish();
      this.#follow(tx);
      return JSON.stringify(
        present(expand(tx, current(tx, result), given.paths, this.program.included), version),
        null,
        2,
      );
    };
    return route.dry === true ? work(new Tx(this.world, info, version)) : this.step(work, info, version);
  }

  #answer(
    request: Request,
    status: number,
    body: string,
    of: { key: string | null; print: string; requestId: string; version: string },
  ): Answer {
    const worthKeeping = (status >= 200 && status < 300) || status === 402 || status >= 500;
    if (of.key !== null && worthKeeping && request.method === 'POST') {
      this.world.answers.set(of.key, {
        fingerprint: of.print,
        status,
        body,
        requestId: of.requestId,
        at: this.world.now,
      });
    }
    return { status, body, headers: headersFor(of.requestId, of.version, of.key) };
  }

  #follow(tx: Tx): void {
    let done = 0;
    for (let tasks = tx.takeFollowUps(); tasks.length > 0; tasks = tx.takeFollowUps()) {
      for (const task of tasks) {
        done += 1;
        if (done > maxFollowUps) throw new Error('a step of the sandbox does not come to an end');
        this.program.runTask(tx, task);
      }
    }
  }

  #finish(tx: Tx): void {
    this.#follow(tx);
    queueDeliveries(this.world, tx.commit());
  }
}

/** A part of the address as text; one that is not well encoded names nothing. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** An object as the step has left it, after everything that followed from the request. */
function current(tx: Tx, result: unknown): unknown {
  if (!isRecord(result) || !isKind(result['object']) || typeof result['id'] !== 'string') return result;
  if (result['object'] === 'webhook_endpoint' || result['deleted'] === true) return result;
  return tx.get(result['object'], result['id']) ?? result;
}

const headersFor = (requestId: string, version: string, key: string | null): Record<string, string> => ({
  'content-type': 'application/json',
  'request-id': requestId,
  'stripe-version': version,
  ...(key === null ? {} : { 'idempotency-key': key }),
});

function replay(
  key: string,
  kept: { fingerprint: string; status: number; body: string; requestId: string },
  print: string,
  requestId: string,
  version: string,
): Answer {
  if (kept.fingerprint !== print) {
    throw new ApiError(400, {
      type: 'idempotency_error',
      message: `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
    });
  }
  const headers = {
    ...headersFor(requestId, version, key),
    'idempotent-replayed': 'true',
    'original-request': kept.requestId,
  };
  return { status: kept.status, body: kept.body, headers };
}
