import { scopes, type Scope } from './caller.js';
import { SomeOf, Text } from './rules.js';

export class ApiKeyBody {
  @Text(1, 100, { description: 'What the key is for.', example: 'billing service' })
  name!: string;

  @SomeOf(scopes, { description: 'What it allows.', example: ['credits:write', 'credits:read'] })
  scopes!: Scope[];
}
