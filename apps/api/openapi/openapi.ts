import { createReadStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import { errorsHtml, headOf } from './error-pages.js';
import type { AnswerSchemas } from './schema.js';

const problemSchema = {
  type: 'object',
  description: 'RFC 9457. Decide by `code`; further members belong to the code.',
  required: ['type', 'title', 'status', 'detail', 'code', 'requestId'],
  properties: {
    type: { type: 'string', format: 'uri-reference', description: 'The page that explains it.' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What you can do.' },
    code: { type: 'string', description: 'Never changes its meaning.' },
    requestId: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        properties: { field: { type: 'string' }, message: { type: 'string' } },
        required: ['field', 'message'],
      },
    },
  },
};

/** The OpenAPI 3.1 document of the routes, made from their decorators and from what they answer with. */
export function openApiDocument(app: INestApplication, answers: AnswerSchemas): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Scrip')
    .setDescription(
      'Event-sourced billing ledger: credits, plans and payments. All problems: [/docs/errors](/docs/errors).',
    )
    .setVersion('1')
    .setOpenAPIVersion('3.1.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An API key, or the token of a person.' })
    .build();
  const document = SwaggerModule.createDocument(app, config, { autoTagControllers: false });
  const schemas = { ...document.components?.schemas, ...answers.schemas, Problem: problemSchema };
  const complete = asOpenApi31({ ...document, components: { ...document.components, schemas } } as OpenAPIObject);
  addBodyExamples(complete as unknown as Described);
  addPathParameters(complete as unknown as Described);
  addAnswers(complete as unknown as Described, answers.byRoute);
  return complete;
}

type Schema = { readonly [member: string]: unknown };
type Body = {
  readonly content: {
    readonly 'application/json': { readonly schema: Schema; example?: unknown; readonly examples?: unknown };
  };
};
type Operation = {
  readonly requestBody?: Body;
  parameters?: readonly Schema[];
  readonly responses: { readonly [status: string]: { content?: object } };
};
type Described = {
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
  readonly components: { readonly schemas: { readonly [name: string]: Schema } };
};

/** Every request body gets one whole example, put together from those of its fields. A test sends them all. */
function addBodyExamples(document: Described): void {
  for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
    const content = operation.requestBody?.content['application/json'];
    if (content !== undefined && content.examples === undefined)
      content.example = exampleOf(content.schema, document.components.schemas);
  }
}

/** A handler that reads the whole request names no parameters of its path. */
function addPathParameters({ paths }: Described): void {
  for (const [path, operations] of Object.entries(paths)) {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    for (const operation of Object.values(operations)) {
      const others = (operation.parameters ?? []).filter((parameter) => parameter['in'] !== 'path');
      const inPath = names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
      operation.parameters = [...inPath, ...others];
    }
  }
}

const inText: { readonly [path: string]: string } = { '/metrics': 'text/plain' };

/** What each route answers with when it succeeds. */
function addAnswers({ paths }: Described, byRoute: AnswerSchemas['byRoute']): void {
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { responses }] of Object.entries(operations)) {
      const name = byRoute[`${method.toUpperCase()} ${path}`];
      const schema = name === undefined ? { type: 'string' } : { $ref: `#/components/schemas/${name}` };
      const type = name === undefined ? inText[path] : 'application/json';
      if (type === undefined) continue;
      const lines = path === '/v1/events' ? { 'application/x-ndjson': { schema: { type: 'string' } } } : {};
      for (const [status, response] of Object.entries(responses))
        if (status.startsWith('2')) response.content = { [type]: { schema }, ...lines };
    }
  }
}

function exampleOf(schema: Schema, schemas: Described['components']['schemas']): unknown {
  if ('example' in schema) return schema['example'];
  if (typeof schema['$ref'] === 'string')
    return exampleOf(schemas[schema['$ref'].split('/').at(-1) ?? ''] ?? {}, schemas);
  for (const choice of ['allOf', 'oneOf']) {
    const [first] = (schema[choice] ?? []) as Schema[];
    if (first !== undefined) return exampleOf(first, schemas);
  }
  if (schema['type'] !== 'object') return undefined;
  const fields = Object.entries((schema['properties'] ?? {}) as { [name: string]: Schema });
  const examples = fields.map(([name, field]) => [name, exampleOf(field, schemas)] as const);
  return Object.fromEntries(examples.filter(([, example]) => example !== undefined));
}

/** OpenAPI 3.1 says `type: [string, null]` where 3.0 said `nullable`. */
function asOpenApi31<Node>(node: Node): Node {
  if (Array.isArray(node)) return node.map((item: unknown) => asOpenApi31(item)) as Node;
  if (typeof node !== 'object' || node === null) return node;
  const { nullable, ...rest } = node as { nullable?: unknown; [member: string]: unknown };
  const converted = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, asOpenApi31(value)])) as {
    [member: string]: unknown;
  };
  if (nullable !== true) return converted as Node;
  if (typeof converted['type'] === 'string') return { ...converted, type: [converted['type'], 'null'] } as Node;
  const { description, ...schema } = converted;
  return { description, oneOf: [schema, { type: 'null' }] } as Node;
}

const page = `${headOf('Scrip API')}
<link rel="stylesheet" href="/docs/swagger-ui.css"><div id="ui"></div>
<noscript><p>This page needs scripts. All routes are in <a href="/openapi.json">/openapi.json</a>.</p></noscript>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></html>`;
const start = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui', deepLinking: true, defaultModelsExpandDepth: 0 });`;
const pagePolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";
const assets = { 'swagger-ui.css': 'text/css', 'swagger-ui-bundle.js': 'text/javascript' } as const;

/** Serves the document, the page to try it with, and the page of problems; nothing comes from another host. */
export function serveDocs(server: FastifyInstance, document: OpenAPIObject): void {
  const json = JSON.stringify(document);
  const html = (body: string) => ({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': pagePolicy,
    body,
  });
  const pages = {
    '/docs': html(page),
    '/docs/errors': html(errorsHtml()),
    '/docs/start.js': { 'content-type': 'text/javascript', body: start },
    '/openapi.json': { 'content-type': 'application/json', body: json },
  };
  for (const [url, { body, ...headers }] of Object.entries(pages)) {
    server.get(url, (_, reply) => reply.headers(headers).send(body));
  }
  server.get('/', (_, reply) => reply.redirect('/docs'));
  for (const [name, type] of Object.entries(assets)) {
    const path = fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`));
    server.get(`/docs/${name}`, (_, reply) =>
      reply.headers({ 'content-type': type, 'cache-control': 'public, max-age=3600' }).send(createReadStream(path)),
    );
  }
}
