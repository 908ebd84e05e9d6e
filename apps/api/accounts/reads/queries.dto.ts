import { OneOf, Pattern, QueryNumber, Text, Time, Unit } from '../../http/validation/rules.js';
import { OpenMembers } from '../../http/validation/open-members.js';
import { FreshnessQuery, ListQuery, LogPosition } from '../../reads/queries.dto.js';

/** What stands before the name of a member of metadata in a query: `metadata.orderId=o-1`. */
export const metadataPrefix = 'metadata.';

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

/** A list of what commands made. */
class MadeByCommandsQuery extends AccountListQuery {
  @Pattern(/^[ -~]{1,255}$/, 'must be 1 to 255 printable ASCII characters', {
    description: 'Only what the command with this Idempotency-Key made or changed.',
    example: 'order-1001',
    optional: 'absent',
  })
  key?: string;
}

export class GrantsQuery extends MadeByCommandsQuery {
  @OneOf(['active', 'scheduled', 'spent', 'expired', 'revoked'], {
    description: 'Only grants in this state.',
    optional: 'absent',
  })
  status?: 'active' | 'scheduled' | 'spent' | 'expired' | 'revoked';
}

export class HoldsQuery extends MadeByCommandsQuery {
  @OneOf(['open', 'captured', 'released', 'expired'], { description: 'Only holds in this state.', optional: 'absent' })
  status?: 'open' | 'captured' | 'released' | 'expired';
}

@OpenMembers(metadataPrefix, 'must be text of at most 255 characters', (value) => value.length <= 255)
export class HistoryQuery extends MadeByCommandsQuery {
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

  @Text(1, 64, { description: 'Only what is about a resource of this type.', optional: 'absent' })
  resourceType?: string;

  @Text(1, 255, { description: 'Only what is about this resource.', optional: 'absent' })
  resourceId?: string;

  @QueryNumber(0, 1_000_000, { description: 'Leave out so many; the answer then has `total`.', example: 0 })
  offset?: string;

  @LogPosition(
    'Nothing after this position: with `asOf.position` of the first page, entries do not move to other offsets while new ones come.',
  )
  upTo?: string;
}

export class ClaimsQuery extends MadeByCommandsQuery {
  @Text(1, 64, { description: 'Only resources of this type.', optional: 'absent' })
  resourceType?: string;

  @Text(1, 255, { description: 'Only this resource.', optional: 'absent' })
  resourceId?: string;
}
