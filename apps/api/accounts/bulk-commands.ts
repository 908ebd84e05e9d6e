import type { Pricing } from '../catalogue/price-list.js';
import type { FieldError } from '../http/problems.js';
import { Checker, type Dto } from '../http/validation.js';
import {
  adjustmentAnswer,
  captureAnswer,
  consumptionAnswer,
  extensionAnswer,
  grantAnswer,
  holdAnswer,
  releaseAnswer,
  reversalAnswer,
  type AccountAnswer,
} from './account-answers.js';
import {
  adjustIntent,
  captureIntent,
  consumeIntent,
  extendIntent,
  grantIntent,
  holdIntent,
  releaseIntent,
  reverseIntent,
  type AccountIntent,
} from './account-requests.js';
import {
  AdjustmentBody,
  BulkTarget,
  CaptureBody,
  ConsumptionBody,
  ConsumptionTarget,
  ExtensionBody,
  GrantBody,
  HoldBody,
  HoldTarget,
  ReleaseBody,
  ReversalBody,
} from './account.dto.js';
import { consumptionErrors } from './consumption-errors.js';

export type BulkItem = BulkTarget & { readonly unit?: string };

type BulkCommand = {
  readonly checker: Checker;
  /** What the fields' own rules cannot see. */
  readonly furtherErrors: (item: BulkItem) => readonly FieldError[];
  readonly needsAdmin: boolean;
  readonly intentOf: (item: BulkItem, pricing: Pricing) => AccountIntent;
  readonly bodyOf: AccountAnswer;
};

const noErrors: readonly FieldError[] = [];

/** A kind of command in a bulk request: the classes whose fields it has, what it means, how it is answered. */
function command<Fields extends object>(
  classes: readonly Dto[],
  intentOf: (fields: Fields, pricing: Pricing) => AccountIntent,
  bodyOf: AccountAnswer,
  more: { needsAdmin?: boolean; furtherErrors?: (fields: Fields) => readonly FieldError[] } = {},
): BulkCommand {
  const { furtherErrors } = more;
  return {
    checker: new Checker(BulkTarget, ...classes),
    furtherErrors: furtherErrors === undefined ? () => noErrors : (item) => furtherErrors(item as unknown as Fields),
    needsAdmin: more.needsAdmin === true,
    intentOf: (item, pricing) => intentOf(item as unknown as Fields, pricing),
    bodyOf,
  };
}

/** The commands that a bulk request may hold: the same classes, meanings and answers as the single routes. */
export const bulkCommands = {
  grant: command<GrantBody>([GrantBody], grantIntent, grantAnswer),
  consume: command<ConsumptionBody>([ConsumptionBody], consumeIntent, consumptionAnswer, {
    furtherErrors: consumptionErrors,
  }),
  reverse: command<ReversalBody & ConsumptionTarget>(
    [ReversalBody, ConsumptionTarget],
    (fields) => reverseIntent(fields, fields.consumptionId),
    reversalAnswer,
  ),
  hold: command<HoldBody>([HoldBody], holdIntent, holdAnswer),
  capture: command<CaptureBody & HoldTarget>(
    [CaptureBody, HoldTarget],
    (fields) => captureIntent(fields, fields.holdId),
    captureAnswer,
  ),
  release: command<ReleaseBody & HoldTarget>(
    [ReleaseBody, HoldTarget],
    (fields) => releaseIntent(fields.holdId),
    releaseAnswer,
  ),
  extend: command<ExtensionBody & HoldTarget>(
    [ExtensionBody, HoldTarget],
    (fields) => extendIntent(fields, fields.holdId),
    extensionAnswer,
  ),
  adjust: command<AdjustmentBody>([AdjustmentBody], adjustIntent, adjustmentAnswer, { needsAdmin: true }),
} as const satisfies { readonly [kind: string]: BulkCommand };

export type BulkKind = keyof typeof bulkCommands;
export const bulkKinds = Object.keys(bulkCommands) as readonly BulkKind[];

export const bulkExample = {
  commands: [
    { type: 'grant', customerId: 'customer-1', idempotencyKey: 'order-1001', amount: 1000, source: 'purchase' },
    {
      type: 'consume',
      customerId: 'customer-1',
      idempotencyKey: 'call-1',
      amount: 5,
      resource: { type: 'lead', id: 'lead-77' },
    },
  ],
};
