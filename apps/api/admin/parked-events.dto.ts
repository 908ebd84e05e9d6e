import { stripeEventIdPattern } from '#kernel/stream-name.js';
import { Forms } from '../http/validation/forms.js';
import { Nested, OneOf, Pattern, Text, TextList } from '../http/validation/rules.js';
import { ListQuery } from '../reads/queries.dto.js';

const ReasonCode = (): PropertyDecorator =>
  Pattern(/^[a-z_]{1,40}$/, 'must be the code of a reason', {
    description: 'Only events that were parked for the reason of this code.',
    example: 'unknown_customer',
    optional: 'absent',
  });
const StripeType = (): PropertyDecorator =>
  Text(1, 100, { description: 'Only events of this type.', example: 'invoice.paid', optional: 'absent' });
const Subject = (): PropertyDecorator =>
  Text(1, 255, {
    description: 'Only events whose reason is about this: a Stripe id of a customer, price or other object.',
    example: 'cus_PqT1',
    optional: 'absent',
  });
const Why = (): PropertyDecorator =>
  Text(1, 500, { description: 'Why nobody has to look at it; kept in the log.', example: 'of the other shop' });

export class ParkedEventsQuery extends ListQuery {
  @OneOf(['parked', 'set_aside'], { description: 'Those that wait (default), or were set aside.', optional: 'absent' })
  status?: 'parked' | 'set_aside';

  @ReasonCode()
  reason?: string;

  @StripeType()
  type?: string;

  @Subject()
  subject?: string;
}

/** Which parked events are meant: those to which all that is named applies. */
export class ParkedFilterBody {
  @ReasonCode()
  reason?: string;

  @StripeType()
  type?: string;

  @Subject()
  subject?: string;
}

export class SetAsideBody {
  @Why()
  reason!: string;
}

@Forms({ name: 'SetAsideNamed', needs: ['ids'] }, { name: 'SetAsideFiltered', needs: ['filter'] })
export class SetAsideManyBody {
  /** So many events one request sets aside. */
  static readonly most = 1000;

  @Why()
  reason!: string;

  @TextList(SetAsideManyBody.most, stripeEventIdPattern, {
    description: 'Ids of Stripe events, each once.',
    example: ['evt_1PqT'],
    optional: 'absent',
  })
  ids?: string[];

  @Nested(() => ParkedFilterBody, {
    description: 'Which parked events are meant: at least one member.',
    optional: 'absent',
  })
  filter?: ParkedFilterBody;
}
