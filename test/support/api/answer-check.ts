import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

type Schema = { readonly [member: string]: unknown };
type Content = { readonly [type: string]: { readonly schema?: Schema } };
type Response = {
  readonly $ref?: string;
  readonly headers?: { readonly [name: string]: { readonly $ref: string } };
  readonly content?: Content;
};
export type Operation = {
  readonly operationId: string;
  readonly requestBody?: { readonly content: Content };
  readonly responses: { readonly [status: string]: Response };
};
/** As much of an OpenAPI document as is compared with answers. */
export type Document = {
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
  readonly components: {
    readonly responses: { readonly [name: string]: Response };
    readonly headers: { readonly [name: string]: { readonly required?: boolean } };
    readonly schemas: { readonly [name: string]: Schema };
  };
};

/** A request and what it was answered with. */
export type Exchange = {
  readonly method: string;
  readonly path: string;
  readonly sent: unknown;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
};

type BulkSent = { readonly commands: readonly unknown[] };
type BulkReceived = { readonly results: readonly { readonly status: number }[] };

/** What the server answers before it has found a route: the document lists these for no route, and says so. */
const withoutRoute: ReadonlySet<string> = new Set([
  'not_found',
  'method_not_allowed',
  'request_timeout',
  'expectation_failed',
  'headers_too_large',
]);
const checkedHeaders = ['retry-after', 'idempotent-replayed', 'www-authenticate', 'location', 'x-request-id'];
const root = 'https://scrip.example/openapi.json';

/** What is said here of an object does not name all its members. */
const conditions: ReadonlySet<string> = new Set(['if', 'then', 'else']);

/** The schema with nothing allowed that it does not name. */
function exact(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(exact);
  if (schema === null || typeof schema !== 'object') return schema;
  const inner = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, conditions.has(key) ? value : exact(value)]),
  ) as Schema;
  return 'properties' in inner && !('additionalProperties' in inner)
    ? { ...inner, additionalProperties: false }
    : inner;
}

/** A dry run is answered without a position: the document says so in words, so that the type of every other answer has one. */
const withPosition = (_key: string, value: unknown): unknown =>
  value !== null && typeof value === 'object' && 'dryRun' in value ? { position: '0'.repeat(19), ...value } : value;

const pointer = (...names: readonly string[]): string =>
  names.map((name) => `/${encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');

/** Compares what a server does with the document that it serves. */
export class DocumentCheck {
  readonly #ajv = new Ajv2020({ strict: false });
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #routes: readonly { readonly pattern: RegExp; readonly path: string }[];

  constructor(readonly document: Document) {
    this.#ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
    this.#ajv.addFormat('uuid', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    for (const format of ['int32', 'int64'])
      this.#ajv.addFormat(format, { type: 'number', validate: Number.isSafeInteger });
    for (const format of ['uri', 'uri-reference']) this.#ajv.addFormat(format, true);
    this.#ajv.addSchema(exact(document) as Schema, root);
    // Fixed parts go before parameters, as they do in the server.
    this.#routes = Object.keys(document.paths)
      .sort((a, b) => a.split('{').length - b.split('{').length)
      .map((path) => ({ path, pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`) }));
  }

  /** What of an exchange the document does not know; null when it knows all of it, or has no such route. */
  complaint({ method, path: url, sent, status, headers, text }: Exchange): string | null {
    const plain = url.split(/[?#]/, 1)[0] ?? '';
    const path = this.#routes.find(({ pattern }) => pattern.test(plain))?.path;
    const operation = path === undefined ? undefined : this.document.paths[path]?.[method.toLowerCase()];
    if (path === undefined || operation === undefined) return null;
    const type = headers.get('content-type')?.split(';', 1)[0] ?? '';
    const body: unknown = /[/+]json$/.test(type) ? JSON.parse(text, withPosition) : text;
    if (withoutRoute.has(String((body as { code?: unknown }).code))) return null;
    const at = ['paths', path, method.toLowerCase()];
    const where = `${method} ${path} ${String(status)}`;
    const listed = operation.responses[String(status)];
    if (listed === undefined) return `${where} is not documented: ${text.slice(0, 300)}`;
    const shared = listed.$ref?.split('/').at(-1);
    const response = shared === undefined ? listed : this.document.components.responses[shared];
    const place = shared === undefined ? [...at, 'responses', String(status)] : ['components', 'responses', shared];
    if (response?.content?.[type] === undefined) return `${where} is documented without ${type}`;
    const wrongHeader = this.#wrongHeader(response, headers);
    if (wrongHeader !== null) return `${where}: ${wrongHeader}`;
    const wrong = this.#invalid([...place, 'content', type, 'schema'], body);
    if (wrong !== null) return `${where} does not answer as it is documented: ${wrong} in ${text.slice(0, 1000)}`;
    if (status >= 300 || operation.requestBody === undefined || sent === undefined) return null;
    const refused =
      path === '/v1/commands'
        ? this.#refusedCommand(sent as BulkSent, body as BulkReceived)
        : this.#invalid([...at, 'requestBody', 'content', 'application/json', 'schema'], sent);
    return refused === null ? null : `${where} took what its document refuses: ${refused} in ${JSON.stringify(sent)}`;
  }

  /** Of a bulk request, what was carried out must be as it is documented. */
  #refusedCommand({ commands }: BulkSent, { results }: BulkReceived): string | null {
    const done = commands.filter((_, at) => results[at]?.status === 201);
    return (
      done.map((command) => this.#invalid(['components', 'schemas', 'BulkCommand'], command)).find((one) => one) ?? null
    );
  }

  #wrongHeader({ headers = {} }: Response, given: Headers): string | null {
    const known = new Map(
      Object.entries(headers).map(([name, { $ref }]) => [name.toLowerCase(), $ref.split('/').at(-1)]),
    );
    const stray = checkedHeaders.find((name) => given.has(name) && !known.has(name));
    if (stray !== undefined) return `the header ${stray} is not documented`;
    for (const [name, shared = ''] of known)
      if (this.document.components.headers[shared]?.required === true && !given.has(name)) return `it has no ${name}`;
    return null;
  }

  #invalid(place: readonly string[], value: unknown): string | null {
    const $ref = `${root}#${pointer(...place)}`;
    let validate = this.#validators.get($ref);
    if (validate === undefined) {
      validate = this.#ajv.compile({ $ref });
      this.#validators.set($ref, validate);
    }
    return validate(value) ? null : this.#ajv.errorsText(validate.errors);
  }
}

const checks = new Map<string, Promise<DocumentCheck | null>>();

function checkOf(url: string): Promise<DocumentCheck | null> {
  const known = checks.get(url);
  if (known !== undefined) return known;
  const loading = loadCheck(url).catch(() => {
    // A server that has just gone is asked again.
    checks.delete(url);
    return null;
  });
  checks.set(url, loading);
  return loading;
}

/** Null where there is no document, as at the port for operations. */
async function loadCheck(url: string): Promise<DocumentCheck | null> {
  const answer = await fetch(`${url}/openapi.json`, { signal: AbortSignal.timeout(60_000) });
  return answer.ok ? new DocumentCheck((await answer.json()) as Document) : null;
}

/** Throws where the server at `url` does what its document does not say. */
export async function checkAnswer(url: string, exchange: Exchange): Promise<void> {
  const complaint = (await checkOf(url))?.complaint(exchange) ?? null;
  if (complaint !== null) throw new Error(`/openapi.json: ${complaint}`);
}
