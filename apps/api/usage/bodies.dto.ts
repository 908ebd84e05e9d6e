import { MAX_AMOUNT } from '#kernel/amount.js';
import { Flag, Metadata, Text, Time, WholeNumber } from '../http/validation/rules.js';

export class UsageBody {
  @Text(1, 64, { description: 'A feature of a plan of the catalogue.', example: 'api_calls' })
  feature!: string;

  @WholeNumber(1, MAX_AMOUNT, { description: 'How often it was used.', example: 1, optional: 'absent', default: 1 })
  quantity?: number;

  @Time({
    description: 'When it was used, at most 35 days ago; null or absent: now. It counts in the windows of that time.',
    optional: 'null',
  })
  at?: string | null;

  @Flag({
    description: 'Refuse what goes beyond a limit; false: record it all the same.',
    example: true,
    optional: 'absent',
    default: true,
  })
  limitCheck?: boolean;

  @Text(1, 500, { description: 'In words, what it was used for.', example: 'Nightly import', optional: 'null' })
  description?: string | null;

  @Metadata()
  metadata?: Readonly<Record<string, string | number | boolean>> | null;
}
