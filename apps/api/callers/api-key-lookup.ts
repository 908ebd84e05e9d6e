import type { Clock } from '#kernel/clock.js';
import { instantOf, msOf } from '#kernel/instant.js';
import { findApiKey, touchApiKey } from '#records/api-keys.js';
import type { Database } from '#database/database.js';
import type { FindApiKey } from './authenticator.js';

const touchEveryMs = 60_000;

/** Looks API keys up in the database and notes there, once a minute, that a key is in use. */
export function apiKeyLookup(database: Database, clock: Clock): FindApiKey {
  return async (sha256) => {
    const key = await findApiKey(database, sha256);
    const now = clock.now();
    if (key !== null && (key.lastUsedAt === null || now - msOf(key.lastUsedAt) > touchEveryMs)) {
      // Nobody waits for the note; when it fails the next use makes it.
      touchApiKey(database, key.id, instantOf(now)).catch(() => undefined);
    }
    return key;
  };
}
