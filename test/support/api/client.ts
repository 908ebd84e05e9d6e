import { checkAnswer } from './answer-check.js';

/** The members of answers that tests look at by name. */
export type Body = { readonly [member: string]: unknown } & {
  readonly id: string;
  readonly position: string;
  readonly code: string;
  readonly available: number;
  readonly balance: { readonly available: number; readonly held: number; readonly debt: number };
  readonly asOf: { readonly position: string; readonly time: string };
  readonly data: readonly Body[];
  readonly errors: readonly { readonly field: string; readonly message: string }[];
  readonly results: readonly { readonly status: number; readonly replayed: boolean; readonly body: Body }[];
};

/** What a request was answered with. `body` is the parsed JSON where `text` is some. */
export type ApiAnswer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Body;
};

export type CallOptions = {
  readonly body?: unknown;
  /** The Idempotency-Key. */
  readonly key?: string;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Calls the API as a client would, over HTTP. Throws where an answer is not as the server's OpenAPI document describes it. */
export class ApiClient {
  constructor(
    readonly url: string,
    private readonly token: string,
  ) {}

  async call(method: string, path: string, options: CallOptions = {}): Promise<ApiAnswer> {
    const { body, key, token = this.token, headers } = options;
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: (raw ? body : JSON.stringify(body)) as string }),
    });
    const text = await answer.text();
    const isJson = /^application\/(problem\+)?json/.test(answer.headers.get('content-type') ?? '');
    const sent = raw ? undefined : body;
    const { status, headers: received } = answer;
    await checkAnswer(this.url, { method, path, sent, status, headers: received, text });
    return { status: answer.status, headers: answer.headers, text, body: (isJson ? JSON.parse(text) : {}) as Body };
  }

  get(path: string, options: CallOptions = {}): Promise<ApiAnswer> {
    return this.call('GET', path, options);
  }

  post(path: string, body: unknown, key?: string, options: CallOptions = {}): Promise<ApiAnswer> {
    return this.call('POST', path, { ...options, body, ...(key === undefined ? {} : { key }) });
  }
}
