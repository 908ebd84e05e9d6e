import { Place, QueryNumber, Text } from '../http/validation/rules.js';

/** A place in the log. */
export const LogPosition = (description: string): PropertyDecorator =>
  Place({ description, example: '0000000000000000042', optional: 'absent' });

/** How fresh the answer must be. */
export class FreshnessQuery {
  @LogPosition('Wait until the answer includes the event at this position.')
  minPosition?: string;

  @QueryNumber(0, 10_000, { description: 'Milliseconds to wait for it.', default: 2000 })
  waitMs?: string;
}

/** How many entries a page may have. */
export const PageLimit = (): PropertyDecorator =>
  QueryNumber(1, 200, { description: 'Entries of a page.', default: 50 });
const Cursor = (): PropertyDecorator =>
  Text(1, 1024, { description: '`nextCursor` of the page before, with the same filters.', optional: 'absent' });

/** A page of a list. */
export class ListQuery extends FreshnessQuery {
  @PageLimit()
  limit?: string;

  @Cursor()
  cursor?: string;
}
