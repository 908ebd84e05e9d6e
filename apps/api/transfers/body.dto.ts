import { Credits, CustomerId, Text, Unit } from '../http/validation/rules.js';

export class TransferBody {
  @CustomerId({ description: 'Who is to have the credits; not the customer of the path.', example: 'customer-1' })
  toCustomerId!: string;

  @Credits({ description: 'How many credits.', example: 5 })
  amount!: number;

  @Text(1, 500, { description: 'Why; both customers see it.', example: 'For the team', optional: 'null' })
  reason?: string | null;

  @Unit()
  unit?: string;
}
