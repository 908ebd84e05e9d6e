import Stripe from 'stripe';
import { sleepJittered, type Clock } from '#kernel/clock.js';
import { Circuit } from './circuit.js';

/** How a call to Stripe ended. Everything but a bug is a value. */
export type StripeAnswer<T> =
  | { readonly kind: 'answered'; readonly value: T }
  /** Stripe said no, and would again. `code` is Stripe's word for why; its message may quote what was sent and is left out. */
  | { readonly kind: 'refused'; readonly status: number; readonly code: string; readonly param: string | null }
  /** No answer of Stripe's, though asked as often as makes sense: the call may have had its effect, the same key settles it. */
  | { readonly kind: 'unavailable'; readonly retryAfterSeconds: number };

export type StripeClientOptions = {
  readonly secretKey: string;
  /** Another address than Stripe's own. */
  readonly apiBase: string | null;
  /** Whether the key is one for real money: answers of the other mode are not believed. */
  readonly livemode: boolean;
  readonly clock: Clock;
  /** How requests are sent, for tests; Node's own HTTP otherwise. */
  readonly fetch?: typeof globalThis.fetch;
};

const ATTEMPTS = 4;
const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 4_000;
const TIMEOUT_MS = 15_000;
/** No further attempt after this, so that a caller is not kept waiting for minutes. */
const PATIENCE_MS = 20_000;
/** With less time left no call is begun: nobody would hear its answer. */
const LEAST_MS = 50;
const MAX_IN_FLIGHT = 40;
const SILENT = { kind: 'unavailable', retryAfterSeconds: 5 } as const;

/** The way to Stripe that the environment gives; null where Stripe must not be called. */
export function stripeClientOf(
  stripe: Pick<StripeClientOptions, 'apiBase' | 'livemode'> & {
    readonly secretKey: string | null;
    readonly billingEnabled: boolean;
  },
  clock: Clock,
  fetch?: typeof globalThis.fetch,
): StripeClient | null {
  const { secretKey, apiBase, livemode, billingEnabled } = stripe;
  if (secretKey === null || !billingEnabled) return null;
  return new StripeClient({ secretKey, apiBase, livemode, clock, ...(fetch === undefined ? {} : { fetch }) });
}

/** What all views of one way to Stripe have in common. */
type Shared = { readonly stripe: Stripe; readonly circuit: Circuit; inFlight: number };

function open({ secretKey, apiBase, clock, fetch }: StripeClientOptions): Shared {
  const stripe = new Stripe(secretKey, {
    ...addressOf(apiBase),
    ...(fetch === undefined ? {} : { httpClient: Stripe.createFetchHttpClient(fetch) }),
    telemetry: false,
    maxNetworkRetries: 0, // the library does not wait for 429; all waiting is ours
    timeout: TIMEOUT_MS,
  });
  return { stripe, circuit: new Circuit(clock), inFlight: 0 };
}

type Named = { readonly object: string };
type Failure = Exclude<StripeAnswer<never>, { kind: 'answered' }> | 'try again';

/**
 * The one way out to Stripe: sends, checks that the answer is what was asked for, tries again with growing pauses after 409, 429,
 * 5xx and lost connections, and stops calling for a while when nothing comes back. Sends no telemetry.
 */
export class StripeClient {
  readonly #options: StripeClientOptions;
  readonly #shared: Shared;
  readonly #until: number;

  /** @param until deadline of the caller, in milliseconds of the clock. */
  constructor(options: StripeClientOptions, shared = open(options), until = Infinity) {
    this.#options = options;
    this.#shared = shared;
    this.#until = until;
  }

  /** The same client with one deadline for all its calls. What has not come by then is `unavailable`. */
  within(milliseconds: number): StripeClient {
    return new StripeClient(this.#options, this.#shared, this.#options.clock.now() + milliseconds);
  }

  /**
   * Makes a call; `object` is what Stripe's answer must say it is. `request` is called once for each attempt, so a POST must name
   * an idempotency key. An answer that is of the other mode, or that `fits` denies, is not believed. Bounded: at most four
   * attempts, begun within 20 s.
   */
  async ask<T extends Named>(
    object: T['object'],
    request: (stripe: Stripe) => Promise<T>,
    fits: (value: NoInfer<T>) => boolean = () => true,
  ): Promise<StripeAnswer<T>> {
    const { livemode } = this.#options;
    if (this.#shared.inFlight >= MAX_IN_FLIGHT) return { kind: 'unavailable', retryAfterSeconds: 1 };
    this.#shared.inFlight += 1;
    try {
      return await this.#ask(request, (value) => isAnswer(value, object, livemode) && fits(value as T));
    } finally {
      this.#shared.inFlight -= 1;
    }
  }

  async #ask<T extends Named>(
    request: (stripe: Stripe) => Promise<T>,
    isBelieved: (value: unknown) => boolean,
  ): Promise<StripeAnswer<T>> {
    const { clock } = this.#options;
    const lastBeginning = Math.min(clock.now() + PATIENCE_MS, this.#until - LEAST_MS);
    for (let attempt = 1; clock.now() <= lastBeginning; attempt += 1) {
      const pause = this.#shared.circuit.enter();
      if (pause > 0) return { kind: 'unavailable', retryAfterSeconds: Math.ceil(pause / 1000) };
      const answer = await this.#inTime(this.#once(request, isBelieved));
      if (answer !== 'try again') return answer;
      const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
      if (attempt === ATTEMPTS || clock.now() + wait > lastBeginning) break;
      await sleepJittered(clock, wait);
    }
    return SILENT;
  }

  /** The call's answer, or `unavailable` at the deadline. The call itself then goes on to its own end. */
  async #inTime<Answer>(call: Promise<Answer>): Promise<Answer | typeof SILENT> {
    const { clock } = this.#options;
    if (this.#until === Infinity) return call;
    const answered = new AbortController();
    const late = clock.sleep(Math.max(0, this.#until - clock.now()), answered.signal).then(() => SILENT);
    try {
      const answer = await Promise.race([call, late]);
      if (answer === SILENT) this.#shared.circuit.failed();
      return answer;
    } finally {
      answered.abort();
      call.catch(() => undefined); // a bug in a call that nobody waits for is met again by whoever repeats it
    }
  }

  async #once<T extends Named>(
    request: (stripe: Stripe) => Promise<T>,
    isBelieved: (value: unknown) => boolean,
  ): Promise<StripeAnswer<T> | 'try again'> {
    try {
      const value: unknown = await request(this.#shared.stripe);
      if (!isBelieved(value)) {
        // A proxy in between answers with something of its own, which the library takes for a success.
        this.#shared.circuit.failed();
        return 'try again';
      }
      this.#shared.circuit.succeeded();
      return { kind: 'answered', value: value as T };
    } catch (error) {
      if (!(error instanceof Stripe.errors.StripeError)) {
        this.#shared.circuit.failed();
        throw error;
      }
      return this.#failure(error);
    }
  }

  #failure(error: InstanceType<typeof Stripe.errors.StripeError>): Failure {
    const { statusCode: status, code, param } = error;
    // An error that says it is a success is not Stripe's: a page or a proxy's own words.
    const silent = status === undefined || status >= 500 || status < 400;
    if (silent) this.#shared.circuit.failed();
    else this.#shared.circuit.succeeded();
    if (silent || status === 409 || status === 429) return 'try again';
    return { kind: 'refused', status, code: code ?? error.rawType ?? error.type, param: param ?? null };
  }
}

function addressOf(apiBase: string | null): { host?: string; port?: number; protocol?: 'http' | 'https' } {
  if (apiBase === null) return {};
  const { hostname, port, protocol } = new URL(apiBase);
  const http = protocol === 'http:';
  return { host: hostname, port: port === '' ? (http ? 80 : 443) : Number(port), protocol: http ? 'http' : 'https' };
}

function isAnswer(value: unknown, object: string, livemode: boolean): boolean {
  if (typeof value !== 'object' || value === null || !('object' in value) || value.object !== object) return false;
  if ('livemode' in value && value.livemode !== livemode) return false;
  return object === 'list'
    ? 'data' in value && Array.isArray(value.data)
    : 'id' in value && typeof value.id === 'string' && value.id !== '';
}
