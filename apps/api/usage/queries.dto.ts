import { usageIntervals, type UsageInterval } from '#projections/usage/queries.js';
import { OneOf, Text, Time } from '../http/validation/rules.js';
import { FreshnessQuery } from '../reads/queries.dto.js';

export class UsageQuery extends FreshnessQuery {
  @Text(1, 64, { description: 'Only this feature.', optional: 'absent' })
  feature?: string;

  @Time({
    description: 'From the interval that this instant is in; default 31 days before `to`.',
    optional: 'absent',
  })
  from?: string;

  @Time({ description: 'Up to the interval that begins at this instant or after it; default now.', optional: 'absent' })
  to?: string;

  @OneOf(usageIntervals, { description: 'What is summed, UTC.', optional: 'absent', default: 'day' })
  interval?: UsageInterval;
}
