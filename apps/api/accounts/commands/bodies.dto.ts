import { burnOrders, sources, type BurnOrderName, type DebtPolicy, type Source } from '#ledger/account/events.js';
import { MAX_AMOUNT, type Money } from '#kernel/amount.js';
import { Forms } from '../../http/validation/forms.js';
import {
  Credits,
  CustomerId,
  Flag,
  Metadata,
  Nested,
  OneOf,
  Pattern,
  SignedCredits,
  Text,
  Time,
  Unit,
  WholeNumber,
} from '../../http/validation/rules.js';

type Json = Readonly<Record<string, string | number | boolean>>;

const description = () =>
  Text(1, 500, { description: 'Shown in the history.', example: 'Welcome credits', optional: 'null' });
const reason = (optional?: 'null') =>
  Text(1, 500, {
    description: 'Why; kept in the log.',
    example: 'Ticket 4711',
    ...(optional === undefined ? {} : { optional }),
  });

export class MoneyBody implements Money {
  @WholeNumber(0, MAX_AMOUNT, { description: 'In minor units.', example: 1999 })
  amount!: number;

  @Pattern(/^[a-z]{3}$/, 'must be a currency of three lower case letters', {
    description: 'ISO 4217, lower case.',
    example: 'usd',
  })
  currency!: string;
}

export class ResourceBody {
  @Text(1, 64, { description: 'What kind of thing.', example: 'lead' })
  type!: string;

  @Text(1, 255, { description: 'Which one.', example: 'lead-77' })
  id!: string;
}

const partial = (description: string) => Flag({ description, example: false, optional: 'absent', default: false });
const resource = (description: string) => Nested(() => ResourceBody, { description, optional: 'null' });

const scope = () =>
  Text(0, 1_000, {
    description: 'For whom it is: `org`, or one to five segments. Every budget on its path has to allow it.',
    example: 'team:growth/member:ada',
    optional: 'null',
  });

export class GrantBody {
  @Credits({ description: 'How many credits.', example: 1000 })
  amount!: number;

  @OneOf(sources, { description: 'Where they come from.', example: 'purchase' })
  source!: Source;

  @Time({
    description: 'Usable until then, exclusive; null or absent: for ever.',
    example: '2099-12-31T23:59:59.000Z',
    optional: 'null',
  })
  expiresAt?: string | null;

  @Time({
    description: 'Usable from then on; null or absent: at once.',
    example: '2026-01-01T00:00:00.000Z',
    optional: 'null',
  })
  effectiveAt?: string | null;

  @WholeNumber(0, 100, { description: 'Lower is spent first.', example: 50, optional: 'absent', default: 50 })
  priority?: number;

  @Nested(() => MoneyBody, { description: 'What was paid for them.', optional: 'null' })
  costBasis?: MoneyBody | null;

  @Text(1, 255, { description: 'The payment that bought them.', example: 'pi_3Q1', optional: 'null' })
  paymentReference?: string | null;

  @description()
  description?: string | null;

  @Metadata()
  metadata?: Json | null;

  @Unit()
  unit?: string;
}

@Forms(
  { name: 'ConsumptionOfCredits', needs: ['amount'] },
  { name: 'ConsumptionOfCreditEvent', needs: ['creditEvent'], takes: ['quantity'] },
)
export class ConsumptionBody {
  @Credits({ description: 'How many credits.', example: 5, optional: 'absent' })
  amount?: number;

  @Text(1, 64, {
    description: 'A credit event of the catalogue, priced there.',
    example: 'api_call_basic',
    optional: 'absent',
  })
  creditEvent?: string;

  @WholeNumber(1, MAX_AMOUNT, {
    description: 'How many of the credit event.',
    example: 3,
    optional: 'absent',
    default: 1,
  })
  quantity?: number;

  @partial('Take as much as balance, overdraft and budgets allow; refused only when that is nothing.')
  partial?: boolean;

  @resource('What was bought with them; listed as a claim.')
  resource?: ResourceBody | null;

  @scope()
  scope?: string | null;

  @description()
  description?: string | null;

  @Metadata()
  metadata?: Json | null;

  @Unit()
  unit?: string;
}

export class ReversalBody {
  @Credits({ description: 'How many credits to give back; default all that is left.', example: 2, optional: 'absent' })
  amount?: number;

  @reason('null')
  reason?: string | null;

  @Unit()
  unit?: string;
}

const seconds = (optional?: 'absent') =>
  WholeNumber(1, 604_800, {
    description: 'Seconds from now until the hold ends by itself.',
    example: 900,
    ...(optional === undefined ? {} : { optional, default: 900 }),
  });

export class HoldBody {
  @Credits({ description: 'How many credits to reserve.', example: 20 })
  amount!: number;

  @partial('Reserve as much as balance and budgets allow; refused only when that is nothing.')
  partial?: boolean;

  @seconds('absent')
  expiresInSeconds?: number;

  @resource('What they are for; a capture is listed as a claim of it.')
  resource?: ResourceBody | null;

  @scope()
  scope?: string | null;

  @description()
  description?: string | null;

  @Metadata()
  metadata?: Json | null;

  @Unit()
  unit?: string;
}

export class RaiseBody {
  @Credits({ description: 'How many credits to reserve besides.', example: 5 })
  amount!: number;

  @Unit()
  unit?: string;
}

export class CaptureBody {
  @Credits({ description: 'How many of the held credits to consume; default all.', example: 12, optional: 'absent' })
  amount?: number;

  @Flag({ description: 'Release the rest.', example: true, optional: 'absent', default: true })
  final?: boolean;

  @Unit()
  unit?: string;
}

export class ReleaseBody {
  @Unit()
  unit?: string;
}

export class ExtensionBody {
  @seconds()
  expiresInSeconds!: number;

  @Unit()
  unit?: string;
}

export class RevocationBody {
  @Credits({ description: 'How many credits; default all that are unspent.', example: 100, optional: 'absent' })
  amount?: number;

  @reason()
  reason!: string;

  @Unit()
  unit?: string;
}

export class AdjustmentBody {
  @SignedCredits({ description: 'Credits to give (positive) or take (negative).', example: -3 })
  amount!: number;

  @reason()
  reason!: string;

  @Unit()
  unit?: string;
}

export class SettingsBody {
  @OneOf(burnOrders, { description: 'Which grants are spent first.', example: 'expiring-first', optional: 'absent' })
  burnOrder?: BurnOrderName;

  @WholeNumber(0, MAX_AMOUNT, {
    description: 'How far a consumption may go beyond the balance.',
    example: 0,
    optional: 'absent',
  })
  overdraftLimit?: number;

  @OneOf(['debt', 'write_off'], {
    description: 'What becomes of spent credits that are taken back.',
    example: 'debt',
    optional: 'absent',
  })
  debtPolicy?: DebtPolicy;

  @WholeNumber(0, MAX_AMOUNT, {
    description: 'Below this the balance counts as low; null: the default.',
    example: 1000,
    optional: 'null',
  })
  lowBalanceThreshold?: number | null;

  @Unit()
  unit?: string;
}

export class ReasonBody {
  @reason()
  reason!: string;

  @Unit()
  unit?: string;
}

/** The members that a command in a bulk request has besides its body. */
export class BulkTarget {
  @OneOf(
    ['grant', 'consume', 'reverse', 'hold', 'raise', 'capture', 'release', 'extend', 'revoke', 'adjust', 'usage'],
    {
      description: 'Which command.',
      example: 'consume',
    },
  )
  type!: string;

  @CustomerId({ description: 'Whose account, or whose usage.', example: 'customer-1' })
  customerId!: string;

  @Pattern(/^[\x20-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters', {
    description: 'As the header Idempotency-Key.',
    example: 'order-1001',
  })
  idempotencyKey!: string;
}

export class ConsumptionTarget {
  @Text(1, 64, { description: 'Which consumption.', example: 'con_01' })
  consumptionId!: string;
}

export class GrantTarget {
  @Text(1, 64, { description: 'Which grant.', example: 'gr_01' })
  grantId!: string;
}

export class HoldTarget {
  @Text(1, 64, { description: 'Which hold.', example: 'hold_01' })
  holdId!: string;
}
