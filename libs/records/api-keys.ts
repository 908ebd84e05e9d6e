import { hash } from 'node:crypto';
import type { Instant } from '#kernel/instant.js';
import { pageOf, type Cursor, type CursorShape, type Page } from '../database/page.js';
import type { Reader } from '../database/database.js';
import { SCHEMA } from './schema.js';

/** An API key as it may be shown: the secret is known only to whoever made it. */
export type ApiKey = {
  readonly id: string;
  readonly name: string;
  /** The beginning of the secret, to recognise it by. */
  readonly prefix: string;
  readonly scopes: readonly string[];
  readonly createdAt: Instant;
  readonly revokedAt: Instant | null;
  readonly lastUsedAt: Instant | null;
};

type Row = {
  id: string;
  name: string;
  prefix: string;
  scopes: string[];
  created_at: string;
  revoked_at: string | null;
  last_used_at: string | null;
};

const SHOWN = 12;
const columns = 'id, name, prefix, scopes, created_at, revoked_at, last_used_at';

const apiKey = (row: Row): ApiKey => ({
  id: row.id,
  name: row.name,
  prefix: row.prefix,
  scopes: row.scopes,
  createdAt: row.created_at,
  revokedAt: row.revoked_at,
  lastUsedAt: row.last_used_at,
});

/** What is kept of a secret: its SHA-256 as 64 hexadecimal digits. Secrets are random, so no salt is needed. */
export const hashOfSecret = (secret: string): string => hash('sha256', secret, 'hex');

/**
 * Makes a key and answers its secret, once: `scrip_` and 43 characters.
 * @param randomBytes cryptographically random bytes, as node:crypto gives them.
 */
export async function createApiKey(
  reader: Reader,
  key: { readonly name: string; readonly scopes: readonly string[]; readonly at: Instant },
  randomBytes: (size: number) => Uint8Array,
): Promise<{ readonly key: ApiKey; readonly secret: string }> {
  const secret = `scrip_${Buffer.from(randomBytes(32)).toString('base64url')}`;
  const id = `key_${Buffer.from(randomBytes(12)).toString('hex')}`;
  const [row] = await reader.query<Row>({
    text: `insert into ${SCHEMA}.api_keys (id, name, prefix, hash, scopes, created_at) values ($1, $2, $3, $4, $5, $6) returning ${columns}`,
    values: [id, key.name, secret.slice(0, SHOWN), hashOfSecret(secret), [...key.scopes], key.at],
  });
  if (row === undefined) throw new Error('an insert gave no row back');
  return { key: apiKey(row), secret };
}

/** When a key was made, and its id. */
export const apiKeysCursor: CursorShape = ['text', 'text'];

/** Keys, revoked ones too, newest first. `cursor`: of `apiKeysCursor`. */
export async function listApiKeys(reader: Reader, limit: number, cursor: Cursor | null): Promise<Page<ApiKey>> {
  const behind = cursor === null ? '' : 'where (created_at, id) < ($2, $3)';
  const rows = await reader.query<Row>({
    text: `select ${columns} from ${SCHEMA}.api_keys ${behind} order by created_at desc, id desc limit $1`,
    values: [limit + 1, ...(cursor ?? [])],
  });
  return pageOf(rows, limit, apiKey, (row) => [row.created_at, row.id]);
}

/** Makes a key useless from now on; again changes nothing. Null when there is none of that id. */
export async function revokeApiKey(reader: Reader, id: string, at: Instant): Promise<ApiKey | null> {
  const [row] = await reader.query<Row>({
    text: `update ${SCHEMA}.api_keys set revoked_at = coalesce(revoked_at, $2) where id = $1 returning ${columns}`,
    values: [id, at],
  });
  return row === undefined ? null : apiKey(row);
}

/** The key with this hash of its secret, unless it was revoked. */
export async function findApiKey(reader: Reader, secretHash: string): Promise<ApiKey | null> {
  const [row] = await reader.query<Row>({
    name: 'find api key',
    text: `select ${columns} from ${SCHEMA}.api_keys where hash = $1 and revoked_at is null`,
    values: [secretHash],
  });
  return row === undefined ? null : apiKey(row);
}

/** Notes that a key was used; callers do this now and then, not for each request. */
export async function touchApiKey(reader: Reader, id: string, at: Instant): Promise<void> {
  await reader.query({ text: `update ${SCHEMA}.api_keys set last_used_at = $2 where id = $1`, values: [id, at] });
}
