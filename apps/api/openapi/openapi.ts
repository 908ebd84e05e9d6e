import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { bodySchemas } from './dto-schemas.js';
import { answerNameOf, completeOperation, type Operation } from './operations.js';
import { answerHeaders, problemSchemas, type ProblemResponse } from './problem-schemas.js';
import type { AnswerSchemas, Schema } from './schema.js';

const description = `Event-sourced billing ledger: credits, plans and payments.

All problems are explained at [/docs/errors](/docs/errors). Decide by \`code\`. Besides the answers that each route lists, the server
answers a request that it cannot read, or that leads nowhere, with 400, 404 \`not_found\`, 405, 408, 417 or 431, also as
\`application/problem+json\`.`;

const tags = {
  Credits: 'Commands that move credits. Each takes an Idempotency-Key.',
  Accounts: 'What an account holds, what happened in it, and its settings.',
  Budgets: 'Caps on what is spent of an account under a scope, such as a team or an agent.',
  Customers: 'Who the customers are.',
  Billing: 'What customers buy, pay and subscribe to, by way of Stripe.',
  Usage: 'What customers may use of their plans, and what they used.',
  Catalogue: 'What is on sale.',
  Log: 'The log itself.',
  Operators: 'For those who run the installation.',
  Stripe: "Where Stripe's webhooks arrive.",
  Operations: 'For what runs the process.',
};

/** The OpenAPI 3.1 document of the routes, made from their decorators and from what they answer with. */
export function openApiDocument(app: INestApplication, answers: AnswerSchemas): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setTitle('Scrip')
    .setDescription(description)
    .setVersion('1')
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .setOpenAPIVersion('3.1.0')
    .addServer('/', 'The server that this document comes from.')
    .addBearerAuth(
      { type: 'http', scheme: 'bearer', description: 'An API key with the scope that is named.' },
      'apiKey',
    )
    .addBearerAuth(
      { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The token of a person.' },
      'personToken',
    );
  for (const [name, text] of Object.entries(tags)) builder.addTag(name, text);
  const document = SwaggerModule.createDocument(app, builder.build(), { autoTagControllers: false });
  const schemas: Record<string, Schema> = { ...bodySchemas(), ...answers.schemas, ...problemSchemas };
  const responses: Record<string, object> = {};
  const note = ({ name, response, schemas: needed }: ProblemResponse): { readonly $ref: string } => {
    responses[name] = response;
    Object.assign(schemas, needed);
    return { $ref: `#/components/responses/${name}` };
  };
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, found] of Object.entries(operations as { readonly [method: string]: Operation })) {
      completeOperation(found, { method, path, answer: answerNameOf(method, path, answers.byRoute) }, note);
      completeBody(found, schemas);
    }
  }
  const { securitySchemes } = document.components ?? {};
  const components = { securitySchemes, responses, headers: answerHeaders };
  const used = JSON.stringify([document.paths, responses, schemas]);
  const isUsed = ([name]: [string, Schema]): boolean => used.includes(`"#/components/schemas/${name}"`);
  const complete = { ...components, schemas: Object.fromEntries(Object.entries(schemas).filter(isUsed)) };
  return { ...document, components: complete } as unknown as OpenAPIObject;
}

/**
 * Every request body gets a whole example of each of its forms, put together from those of its fields; a test sends them all. One
 * without a field that must be there may be left out.
 */
function completeBody({ requestBody }: Operation, schemas: { readonly [name: string]: Schema }): void {
  const content = requestBody?.content['application/json'];
  if (requestBody === undefined || content === undefined) return;
  const { $ref } = content.schema;
  const schema = typeof $ref === 'string' ? (schemas[nameIn($ref)] ?? {}) : content.schema;
  requestBody.required = 'oneOf' in schema || 'required' in schema || !('properties' in schema);
  if (content.examples !== undefined) return;
  const forms = (schema['oneOf'] ?? []) as readonly { readonly $ref: string }[];
  if (forms.length === 0) content.example = exampleOf(content.schema, schemas);
  else
    content.examples = Object.fromEntries(
      forms.map((form) => [nameIn(form.$ref), { value: exampleOf(form, schemas) }]),
    );
}

const nameIn = (reference: string): string => reference.split('/').at(-1) ?? '';

function exampleOf(schema: Schema, schemas: { readonly [name: string]: Schema }): unknown {
  if ('example' in schema) return schema['example'];
  if (typeof schema['$ref'] === 'string') return exampleOf(schemas[nameIn(schema['$ref'])] ?? {}, schemas);
  const [first] = (schema['oneOf'] ?? []) as Schema[];
  if (first !== undefined) return exampleOf(first, schemas);
  if (schema['type'] !== 'object') return undefined;
  const fields = Object.entries((schema['properties'] ?? {}) as { [name: string]: Schema });
  const examples = fields.map(([name, field]) => [name, exampleOf(field, schemas)] as const);
  return Object.fromEntries(examples.filter(([, example]) => example !== undefined));
}
