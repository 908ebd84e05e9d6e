import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { ConsumptionBody } from '../../accounts/commands/bodies.dto.js';
import { CheckoutBody } from '../../billing/commands/bodies.dto.js';
import { bulkCommands } from '../../accounts/bulk/commands.js';
import { bulkSchemas } from '../../accounts/bulk/schemas.js';
import { bodySchema, bodySchemas } from '../../openapi/dto-schemas.js';
import type { Dto } from './dto.js';
import { formErrors, formsOf } from './forms.js';
import { checkerOf } from './checker.js';

const fields = {
  amount: 5,
  creditEvent: 'api_call',
  quantity: 2,
  unit: 'credits',
  mode: 'credits',
  plan: 'starter',
  interval: 'month',
  creditProduct: 'pack-1000',
  credits: 250,
} as const;

describe('bodies of several forms', () => {
  const [body, checkout] = [ConsumptionBody, CheckoutBody].map((dto: Dto) => {
    const { $ref } = bodySchema(dto) as { $ref: string };
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ components: { schemas: bodySchemas() } }, 'https://scrip.example/');
    const documented = ajv.compile({ $ref: `https://scrip.example/${$ref}` });
    const taken = (value: object): boolean =>
      checkerOf(dto).errors(value).length === 0 && formErrors(formsOf(dto), value).length === 0;
    return { documented, taken };
  });

  it('takes exactly what the document describes', () => {
    const any = fc.subarray(Object.keys(fields) as (keyof typeof fields)[]).chain((names) =>
      fc.constantFrom('credits', 'subscription').map((mode) => {
        const chosen = Object.fromEntries(names.map((name) => [name, fields[name]]));
        return names.includes('mode') ? { ...chosen, mode } : chosen;
      }),
    );
    let seen = 0;
    fc.assert(
      fc.property(any, (value) => {
        for (const { documented, taken } of [body!, checkout!]) {
          if (taken(value)) seen += 1;
          expect([value, taken(value)]).toEqual([value, documented(value)]);
        }
      }),
      {
        numRuns: 2_000,
        examples: [[{ amount: 5 }], [{ creditEvent: 'api_call', quantity: 2 }], [{ mode: 'credits', credits: 250 }]],
      },
    );
    expect(seen).toBeGreaterThan(3);
  });

  it('takes exactly the bulk commands that the document describes', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ components: { schemas: { ...bodySchemas(), ...bulkSchemas } } }, 'https://scrip.example/');
    const documented = ajv.compile({ $ref: 'https://scrip.example/#/components/schemas/ConsumeCommand' });
    const target = { type: 'consume', customerId: 'customer-1', idempotencyKey: 'key-1' };
    for (const names of [[], ['amount'], ['quantity'], ['creditEvent'], ['creditEvent', 'quantity']] as const)
      for (const more of [[], ['amount'], ['unit'], ['plan']] as const) {
        const value = { ...target, ...Object.fromEntries([...names, ...more].map((name) => [name, fields[name]])) };
        const taken = bulkCommands.consume.errors(value).length === 0;
        expect([value, taken]).toEqual([value, documented(value)]);
      }
  });

  it.each([
    [ConsumptionBody, {}, 'amount', 'send either amount or creditEvent'],
    [ConsumptionBody, { amount: 5, creditEvent: 'api_call' }, 'amount', 'send either amount or creditEvent'],
    [ConsumptionBody, { amount: 5, quantity: 2 }, 'quantity', 'does not go together with amount'],
    [CheckoutBody, { mode: 'credits' }, 'creditProduct', 'send either creditProduct or credits'],
    [CheckoutBody, { mode: 'subscription', plan: 'starter' }, 'interval', 'is needed with subscription'],
    [CheckoutBody, { mode: 'subscription', interval: 'month' }, 'plan', 'is needed with subscription'],
    [CheckoutBody, { mode: 'credits', credits: 5, plan: 'starter' }, 'plan', 'does not go together with credits'],
  ])('says what is wrong: %p %j', (dto, value, field, message) => {
    expect(formErrors(formsOf(dto), value)).toEqual([{ field, message }]);
  });
});
