import { Problem, type FieldError } from '../http/problems.js';

/** What is wrong with the way a consumption says how much: it takes an amount, or a credit event and perhaps a quantity. */
export function consumptionErrors(body: {
  readonly amount?: number;
  readonly creditEvent?: string;
  readonly quantity?: number;
}): readonly FieldError[] {
  if ((body.amount === undefined) === (body.creditEvent === undefined)) {
    return [{ field: 'amount', message: 'send either amount or creditEvent' }];
  }
  if (body.quantity !== undefined && body.creditEvent === undefined) {
    return [{ field: 'quantity', message: 'belongs to creditEvent' }];
  }
  return [];
}

/** Ends the request unless its body says in one way how much is to be consumed. */
export function exactlyOne(body: {
  readonly amount?: number;
  readonly creditEvent?: string;
  readonly quantity?: number;
}): void {
  const errors = consumptionErrors(body);
  if (errors.length > 0) throw new Problem('invalid_request', { errors });
}
