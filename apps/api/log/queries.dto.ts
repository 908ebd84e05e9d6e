import { CustomerId, Pattern, Text, Time } from '../http/validation/rules.js';
import { FreshnessQuery, LogPosition, PageLimit } from '../reads/queries.dto.js';

export class EventsQuery extends FreshnessQuery {
  @LogPosition('Events after this position.')
  after?: string;

  @PageLimit()
  limit?: string;

  @CustomerId({ description: 'Only events of this customer.', optional: 'absent' })
  customerId?: string;

  @Text(1, 200, { description: 'Only events of this stream.', optional: 'absent' })
  stream?: string;

  @Pattern(/^[A-Za-z]{1,64}(,[A-Za-z]{1,64}){0,50}$/, 'must be one or more event types, separated by commas', {
    description: 'Only these types.',
    example: 'CreditsGranted',
    optional: 'absent',
  })
  type?: string;

  @Time({
    description: 'Recorded from this instant on, as far as the clocks of the processes agree within five minutes.',
    optional: 'absent',
  })
  from?: string;

  @Time({ description: 'Recorded before this instant.', optional: 'absent' })
  to?: string;
}
