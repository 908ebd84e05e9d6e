import { randomBytes } from 'node:crypto';
import { instantOf } from '#kernel/instant.js';
import { apiKeyScopes } from '#records/scopes.js';
import { createApiKey, listApiKeys, revokeApiKey } from '#records/api-keys.js';
import { itemsOf } from '#database/page.js';
import { WrongUse, type Call, type Command, type ExitCode } from '../terminal/command.js';
import { table } from '../terminal/output.js';

const PAGE = 200;

async function create({ environment, output }: Call, name: string, scopes: readonly string[]): Promise<ExitCode> {
  const at = instantOf(environment.clock.now());
  const { key, secret } = await createApiKey(await environment.database(), { name, scopes, at }, randomBytes);
  await output.answer(
    { ...key, secret },
    () => `${secret}\n${key.id} "${name}": ${scopes.join(', ')}. The secret is shown only now.`,
  );
  return 0;
}

async function list({ environment, output }: Call): Promise<ExitCode> {
  const database = await environment.database();
  const keys = await Array.fromAsync(itemsOf((cursor) => listApiKeys(database, PAGE, cursor)));
  await output.answer({ keys }, () =>
    table(
      ['id', 'name', 'begins', 'scopes', 'created', 'last used', 'revoked'],
      keys.map(({ id, name, prefix, scopes, createdAt, lastUsedAt, revokedAt }) => [
        ...[id, name, prefix, scopes.join(','), createdAt],
        ...[lastUsedAt ?? 'never', revokedAt ?? ''],
      ]),
    ),
  );
  return 0;
}

async function revoke({ environment, output }: Call, id: string): Promise<ExitCode> {
  const key = await revokeApiKey(await environment.database(), id, instantOf(environment.clock.now()));
  await output.answer({ id, revokedAt: key?.revokedAt ?? null }, () =>
    key === null ? `there is no key ${id}` : `${id} "${key.name}" is revoked since ${key.revokedAt ?? ''}`,
  );
  return key === null ? 1 : 0;
}

function scopesGiven(text: string): readonly string[] {
  const scopes = text.split(',').map((scope) => scope.trim());
  const unknown = scopes.find((scope) => !apiKeyScopes.some((known) => known === scope));
  if (unknown !== undefined) throw new WrongUse(`--scopes: "${unknown}" is none of ${apiKeyScopes.join(', ')}`);
  return [...new Set(scopes)];
}

export const keyCommands: readonly Command[] = [
  {
    name: 'keys create',
    summary: 'Make an API key; its secret is shown once',
    options: [
      { name: 'name', value: 'NAME', help: 'what it is for' },
      { name: 'scopes', value: 'LIST', help: `some of ${apiKeyScopes.join(',')}` },
    ],
    run: (call) => create(call, call.required('name'), scopesGiven(call.required('scopes'))),
  },
  { name: 'keys list', summary: 'List the API keys, without their secrets', run: list },
  {
    name: 'keys revoke',
    summary: 'Make an API key useless',
    positionals: ['ID'],
    run: (call) => revoke(call, call.requiredArgument(0, 'ID')),
  },
];
