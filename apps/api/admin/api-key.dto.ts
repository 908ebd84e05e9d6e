import { apiKeyScopes, type Scope } from '#records/scopes.js';
import { SomeOf, Text } from '../http/validation/rules.js';

export class ApiKeyBody {
  @Text(1, 100, { description: 'What the key is for.', example: 'billing service' })
  name!: string;

  @SomeOf(apiKeyScopes, { description: 'What it allows.', example: ['credits:write', 'credits:read'] })
  scopes!: Scope[];
}
