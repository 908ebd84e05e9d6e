import { Ajv2020 } from 'ajv/dist/2020.js';
import { answers } from '../../apps/api/answers.js';

type Schema = { readonly [member: string]: unknown };

/** The schema with nothing allowed that it does not name. */
function exact(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(exact);
  if (schema === null || typeof schema !== 'object') return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, exact(value)])) as Schema;
  return 'properties' in inner && !('additionalProperties' in inner)
    ? { ...inner, additionalProperties: false }
    : inner;
}

const ajv = new Ajv2020({ strict: false, validateFormats: false });
for (const [name, schema] of Object.entries(answers.schemas))
  ajv.addSchema(exact(schema) as Schema, `#/components/schemas/${name}`);

/** Throws where the answer of a customer's route (`/payments`) is not exactly what /openapi.json says of it. */
export function answerCheck(path: string, body: unknown): void {
  const name = answers.byRoute[`GET /v1/customers/{customerId}${path}`];
  if (name === undefined) throw new Error(`${path} has no schema`);
  if (ajv.validate(`#/components/schemas/${name}`, body)) return;
  throw new Error(`${path} does not answer as it says: ${ajv.errorsText()} in ${JSON.stringify(body)}`);
}
