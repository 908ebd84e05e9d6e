import { MAX_CHARGE } from '#stripe/operations/money.js';
import { Forms } from '../../http/validation/forms.js';
import { Credits, Flag, OneOf, Pattern, Text, WholeNumber, WebAddress } from '../../http/validation/rules.js';

const plan = (optional?: 'absent') =>
  Text(1, 64, { description: 'A plan of the catalogue.', example: 'starter', ...(optional && { optional }) });
const interval = (optional?: 'absent') =>
  OneOf(['month', 'year'], { description: 'How often it is paid.', example: 'month', ...(optional && { optional }) });
const address = (description: string) =>
  WebAddress({ description, example: 'https://app.example/billing', optional: 'absent' });

@Forms(
  { name: 'CheckoutOfPack', fixed: { mode: 'credits' }, needs: ['creditProduct'], takes: ['quantity'] },
  { name: 'CheckoutOfCredits', fixed: { mode: 'credits' }, needs: ['credits'] },
  { name: 'CheckoutOfPlan', fixed: { mode: 'subscription' }, needs: ['plan', 'interval'] },
)
export class CheckoutBody {
  @OneOf(['subscription', 'credits'], { description: 'What is bought.', example: 'credits' })
  mode!: 'subscription' | 'credits';

  @plan('absent')
  plan?: string;

  @interval('absent')
  interval?: 'month' | 'year';

  @Text(1, 64, { description: 'A credit product of the catalogue.', example: 'pack-1000', optional: 'absent' })
  creditProduct?: string;

  @WholeNumber(1, 10_000, { description: 'How many of it.', example: 2, optional: 'absent', default: 1 })
  quantity?: number;

  @Credits({
    description: 'A free number, at the rate of the smallest credit product.',
    example: 250,
    optional: 'absent',
  })
  credits?: number;

  @address('Where the buyer comes back to; default STRIPE_RETURN_URL.')
  successUrl?: string;

  @address('Where the buyer comes back to without having paid; default `successUrl`.')
  cancelUrl?: string;
}

export class PaymentIntentBody {
  @WholeNumber(1, MAX_CHARGE, { description: "In minor units by Stripe's table.", example: 1999 })
  amount!: number;

  @Pattern(/^[a-z]{3}$/, 'must be a currency of three lower case letters', {
    description: 'ISO 4217, lower case.',
    example: 'usd',
  })
  currency!: string;

  @Text(1, 500, { description: 'Goes to Stripe, is not kept here.', example: 'Workshop', optional: 'null' })
  description?: string | null;
}

export class PortalBody {
  @address('Where the customer comes back to; default STRIPE_RETURN_URL.')
  returnUrl?: string;
}

export class FreePlanBody {
  @Text(1, 64, { description: 'A free plan of the catalogue.', example: 'free' })
  plan!: string;
}

export class CancelBody {
  @Flag({ description: 'True: the paid period is kept; false: at once.', example: true })
  atPeriodEnd!: boolean;
}

/** Nothing is to be said; known here so that what is said is refused. */
export class ResumeBody {}

export class ChangeBody {
  @plan()
  plan!: string;

  @interval()
  interval!: 'month' | 'year';

  @OneOf(['now', 'period_end'], {
    description: 'Now, with the difference billed; or with the next period.',
    example: 'now',
  })
  when!: 'now' | 'period_end';
}
