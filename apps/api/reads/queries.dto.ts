import { CustomerId, OneOf, Pattern, Place, QueryNumber, Text, Time, Unit } from '../http/rules.js';

const position = (description: string) => Place({ description, example: '0000000000000000042', optional: 'absent' });

/** A query whose fields are all known. Routes without one take no query, see `QueryGuard`. */
export abstract class CheckedQuery {}

/** How fresh the answer must be. */
export class FreshnessQuery extends CheckedQuery {
  @position('Wait until the answer includes the event at this position.')
  minPosition?: string;

  @QueryNumber(0, 10_000, { description: 'Milliseconds to wait for it; default 2000.', example: 2000 })
  waitMs?: string;
}

export class AccountQuery extends FreshnessQuery {
  @Unit()
  unit?: string;
}

const limit = () => QueryNumber(1, 200, { description: 'Entries of a page; default 50.', example: 50 });
const cursor = () => Text(1, 1024, { description: '`nextCursor` of the page before.', optional: 'absent' });

export class BalanceQuery extends AccountQuery {
  @Time({ description: 'The balance as it was at this instant.', optional: 'absent' })
  at?: string;

  @position('The balance as it was after the event at this position.')
  position?: string;
}

export class ListQuery extends AccountQuery {
  @limit()
  limit?: string;

  @cursor()
  cursor?: string;
}

export class GrantsQuery extends ListQuery {
  @OneOf(['active', 'scheduled', 'spent', 'expired', 'revoked'], {
    description: 'Only grants in this state.',
    optional: 'absent',
  })
  status?: 'active' | 'scheduled' | 'spent' | 'expired' | 'revoked';
}

export class HoldsQuery extends ListQuery {
  @OneOf(['open', 'captured', 'released', 'expired'], { description: 'Only holds in this state.', optional: 'absent' })
  status?: 'open' | 'captured' | 'released' | 'expired';
}

export class HistoryQuery extends ListQuery {
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
}

export class ClaimsQuery extends ListQuery {
  @Text(1, 64, { description: 'Only resources of this type.', optional: 'absent' })
  resourceType?: string;

  @Text(1, 255, { description: 'Only this resource.', optional: 'absent' })
  resourceId?: string;
}

export class CustomersQuery extends FreshnessQuery {
  @Text(1, 200, { description: 'Part of an id, a name or an e-mail address.', optional: 'absent' })
  query?: string;

  @limit()
  limit?: string;

  @cursor()
  cursor?: string;
}

/** A page of what is no projection: it is always up to date. */
export class PageQuery extends CheckedQuery {
  @limit()
  limit?: string;

  @cursor()
  cursor?: string;
}

export class CustomerListQuery extends FreshnessQuery {
  @limit()
  limit?: string;

  @cursor()
  cursor?: string;
}

export class EventsQuery extends FreshnessQuery {
  @position('Events after this position.')
  after?: string;

  @limit()
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
