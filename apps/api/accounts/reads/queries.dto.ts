import { OneOf, Pattern, QueryNumber, Text, Time, Unit } from '../../http/validation/rules.js';
import { FreshnessQuery, ListQuery, LogPosition } from '../../reads/queries.dto.js';

export class AccountQuery extends FreshnessQuery {
  @Unit()
  unit?: string;
}

export class BalanceQuery extends AccountQuery {
  @Time({ description: 'The balance as it was at this instant.', optional: 'absent' })
  at?: string;

  @LogPosition(
    'The balance as it was after the event at this position; one that is still to come is waited for, as `minPosition` is.',
  )
  position?: string;
}

/** A page of what belongs to one account. */
export class AccountListQuery extends ListQuery {
  @Unit()
  unit?: string;
}

export class GrantsQuery extends AccountListQuery {
  @OneOf(['active', 'scheduled', 'spent', 'expired', 'revoked'], {
    description: 'Only grants in this state.',
    optional: 'absent',
  })
  status?: 'active' | 'scheduled' | 'spent' | 'expired' | 'revoked';
}

export class HoldsQuery extends AccountListQuery {
  @OneOf(['open', 'captured', 'released', 'expired'], { description: 'Only holds in this state.', optional: 'absent' })
  status?: 'open' | 'captured' | 'released' | 'expired';
}

export class HistoryQuery extends AccountListQuery {
  @Pattern(/^[a-z_]{1,32}(,[a-z_]{1,32}){0,20}$/, 'must be one or more kinds of movements, separated by commas', {
    description: 'Only these kinds of movements.',
    example: 'granted,consumed',
    optional: 'absent',
  })
  type?: string;

  @Time({ description: 'From this instant on.', optional: 'absent' })
  from?: string;

  @Time({ description: 'Before this instant.', optional: 'absent' })
  to?: string;

  @QueryNumber(0, 1_000_000, { description: 'Leave out so many; the answer then has `total`.', example: 0 })
  offset?: string;

  @LogPosition(
    'Nothing after this position: with `asOf.position` of the first page, entries do not move to other offsets while new ones come.',
  )
  upTo?: string;
}

export class ClaimsQuery extends AccountListQuery {
  @Text(1, 64, { description: 'Only resources of this type.', optional: 'absent' })
  resourceType?: string;

  @Text(1, 255, { description: 'Only this resource.', optional: 'absent' })
  resourceId?: string;
}
