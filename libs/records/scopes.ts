/** What an API key may be allowed to do. */
export const apiKeyScopes = ['credits:write', 'credits:read', 'ledger:read', 'admin'] as const;

export type Scope = (typeof apiKeyScopes)[number];
