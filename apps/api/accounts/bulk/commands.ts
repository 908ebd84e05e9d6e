import type { Pricing } from '../../catalogue/price-list.js';
import type { Dto } from '../../http/validation/dto.js';
import { formErrors, formsOf } from '../../http/validation/forms.js';
import type { FieldError } from '../../http/problem.js';
import { Checker } from '../../http/validation/checker.js';
import {
  adjustmentAnswer,
  captureAnswer,
  consumptionAnswer,
  extensionAnswer,
  grantAnswer,
  holdAnswer,
  raiseAnswer,
  releaseAnswer,
  reversalAnswer,
  revocationAnswer,
  type AccountAnswer,
} from '../commands/answers.js';
import {
  adjustIntent,
  captureIntent,
  consumeIntent,
  extendIntent,
  grantIntent,
  holdIntent,
  raiseIntent,
  releaseIntent,
  reverseIntent,
  revokeIntent,
  type AccountIntent,
} from '../commands/intents.js';
import {
  AdjustmentBody,
  BulkTarget,
  CaptureBody,
  ConsumptionBody,
  ConsumptionTarget,
  ExtensionBody,
  GrantBody,
  GrantTarget,
  HoldBody,
  HoldTarget,
  RaiseBody,
  ReleaseBody,
  ReversalBody,
  RevocationBody,
} from '../commands/bodies.dto.js';
import { UsageBody } from '../../usage/bodies.dto.js';

/** So many commands a bulk request may hold. */
export const maxCommands = 1_000;

export type BulkItem = BulkTarget & { readonly unit?: string };

type Checked = {
  /** Whose fields it has. */
  readonly classes: readonly Dto[];
  /** What is wrong with an item; empty when it is such a command. */
  readonly errors: (item: unknown) => readonly FieldError[];
  readonly needsAdmin: boolean;
  /** The name of the answer's schema. */
  readonly answer: string;
};
type AccountKind = Checked & {
  readonly of: 'account';
  readonly intentOf: (item: BulkItem, pricing: Pricing) => AccountIntent;
  readonly bodyOf: AccountAnswer;
};
type BulkCommand = AccountKind | (Checked & { readonly of: 'usage' });

function checked(classes: readonly Dto[], answer: string, needsAdmin = false): Checked {
  const all = [BulkTarget, ...classes];
  const checker = new Checker(...all);
  const forms = all.flatMap(formsOf);
  return {
    classes: all,
    errors: (item) => {
      const found = checker.errors(item);
      return found.length > 0 ? found : formErrors(forms, item as object);
    },
    needsAdmin,
    answer,
  };
}

/** A kind of command in a bulk request: the classes whose fields it has, what it means, how it is answered. */
const command = <Fields extends object>(
  classes: readonly Dto[],
  intentOf: (fields: Fields, pricing: Pricing) => AccountIntent,
  { bodyOf, answer }: Pick<AccountKind, 'bodyOf' | 'answer'>,
  needsAdmin = false,
): AccountKind => ({
  ...checked(classes, answer, needsAdmin),
  of: 'account',
  intentOf: (item, pricing) => intentOf(item as unknown as Fields, pricing),
  bodyOf,
});

/** The commands that a bulk request may hold: the same classes, meanings and answers as the single routes. */
export const bulkCommands = {
  grant: command<GrantBody>([GrantBody], grantIntent, { bodyOf: grantAnswer, answer: 'GrantAnswer' }),
  consume: command<ConsumptionBody>([ConsumptionBody], consumeIntent, {
    bodyOf: consumptionAnswer,
    answer: 'ConsumptionAnswer',
  }),
  reverse: command<ReversalBody & ConsumptionTarget>(
    [ReversalBody, ConsumptionTarget],
    (fields) => reverseIntent(fields, fields.consumptionId),
    { bodyOf: reversalAnswer, answer: 'ReversalAnswer' },
  ),
  hold: command<HoldBody>([HoldBody], holdIntent, { bodyOf: holdAnswer, answer: 'HoldAnswer' }),
  raise: command<RaiseBody & HoldTarget>([RaiseBody, HoldTarget], (fields) => raiseIntent(fields, fields.holdId), {
    bodyOf: raiseAnswer,
    answer: 'HoldAnswer',
  }),
  capture: command<CaptureBody & HoldTarget>(
    [CaptureBody, HoldTarget],
    (fields) => captureIntent(fields, fields.holdId),
    { bodyOf: captureAnswer, answer: 'HoldAnswer' },
  ),
  release: command<ReleaseBody & HoldTarget>([ReleaseBody, HoldTarget], (fields) => releaseIntent(fields.holdId), {
    bodyOf: releaseAnswer,
    answer: 'HoldAnswer',
  }),
  extend: command<ExtensionBody & HoldTarget>(
    [ExtensionBody, HoldTarget],
    (fields) => extendIntent(fields, fields.holdId),
    { bodyOf: extensionAnswer, answer: 'HoldAnswer' },
  ),
  revoke: command<RevocationBody & GrantTarget>(
    [RevocationBody, GrantTarget],
    (fields) => revokeIntent(fields, fields.grantId),
    { bodyOf: revocationAnswer, answer: 'RevocationAnswer' },
    true,
  ),
  adjust: command<AdjustmentBody>(
    [AdjustmentBody],
    adjustIntent,
    { bodyOf: adjustmentAnswer, answer: 'AdjustmentAnswer' },
    true,
  ),
  usage: { ...checked([UsageBody], 'UsageAnswer'), of: 'usage' },
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
