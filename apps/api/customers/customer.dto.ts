import { Metadata, Pattern, Text } from '../http/validation/rules.js';
import { ListQuery } from '../reads/queries.dto.js';

/** Fields that are left out stay as they are; null empties a field. */
export class CustomerBody {
  @Text(1, 200, {
    description: 'Kept outside the log, where it can be erased.',
    example: 'Ada Lovelace',
    optional: 'null',
  })
  name?: string | null;

  @Pattern(/^[^\s@\u0000-\u001f]{1,64}@[^\s@\u0000-\u001f]{1,189}$/, 'must be an e-mail address', {
    description: 'Kept outside the log, where it can be erased.',
    example: 'ada@example.com',
    optional: 'null',
  })
  email?: string | null;

  @Metadata()
  metadata?: Readonly<Record<string, string | number | boolean>> | null;
}

export class CustomersQuery extends ListQuery {
  @Text(1, 200, { description: 'Part of an id, a name or an e-mail address.', optional: 'absent' })
  query?: string;
}
