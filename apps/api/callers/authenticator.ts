import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import type { Config } from '#config/env.js';
import { Clock } from '#kernel/clock.js';
import { isCustomerId } from '#kernel/stream-name.js';
import { apiKeyScopes, type Scope } from '#records/scopes.js';
import { hashOfSecret } from '#records/api-keys.js';
import type { Authenticates, Caller } from '../http/caller.js';
import { remoteKeySet } from './key-set.js';

/** Finds an API key that is not revoked by the SHA-256 (hex) of its secret. */
export type FindApiKey = (
  sha256: string,
) => Promise<{ readonly id: string; readonly scopes: readonly string[] } | null>;

const cacheMs = 2_000;
const maxCached = 10_000;
const maxRecent = 1_000;
const operator: ReadonlySet<Scope> = new Set<Scope>(['admin', 'credits:read', 'ledger:read']);
const nothing: ReadonlySet<Scope> = new Set();

const asScopes = (names: readonly string[]): ReadonlySet<Scope> =>
  new Set(apiKeyScopes.filter((scope) => names.includes(scope)));

type Cached = { readonly caller: Caller | null; readonly until: number };

/** Tells who sends a request: by API key, by the operator's key of the environment, or by a person's token. */
@Injectable()
export class Authenticator implements Authenticates {
  /** By the hash of what was sent: found keys and unknown ones, both for two seconds, so that a revocation is soon felt. */
  readonly #cache = new Map<string, Cached>();
  /** Headers of those who were found just now, so that not every request of theirs is hashed. */
  readonly #recent = new Map<string, Cached & { readonly caller: Caller }>();
  /** Counts revocations: what was looked up across one is not kept. */
  #revocations = 0;
  readonly #adminHash: Buffer | null;
  readonly #key: Uint8Array | JWTVerifyGetKey | null;
  readonly #algorithms: string[];

  constructor(
    private readonly config: Pick<Config, 'adminApiKey' | 'jwt'>,
    private readonly clock: Clock,
    private readonly findApiKey: FindApiKey,
  ) {
    const { secret, jwksUrl } = config.jwt;
    this.#adminHash = config.adminApiKey === null ? null : Buffer.from(hashOfSecret(config.adminApiKey));
    this.#key =
      secret !== null ? new TextEncoder().encode(secret) : jwksUrl !== null ? remoteKeySet(new URL(jwksUrl)) : null;
    this.#algorithms = secret !== null ? ['HS256'] : ['RS256', 'ES256', 'EdDSA'];
  }

  /**
   * The caller behind an Authorization header; null when it is missing or proves nobody. At once when it was seen just now.
   * Errors: the problem `key_set_unavailable`; what the look-up of API keys throws.
   */
  callerOf(authorization: string | undefined): Caller | null | Promise<Caller | null> {
    if (authorization === undefined) return null;
    const now = this.clock.now();
    const recent = this.#recent.get(authorization);
    if (recent !== undefined && recent.until > now) return recent.caller;
    const token = /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(authorization)?.[1];
    if (token === undefined) return null;
    const digest = hashOfSecret(token);
    const cached = this.#cache.get(digest);
    if (cached === undefined || cached.until <= now) return this.#find(token, digest);
    const { caller, until } = cached;
    if (caller !== null) {
      if (this.#recent.size >= maxRecent) this.#recent.clear();
      this.#recent.set(authorization, { caller, until });
    }
    return caller;
  }

  /** Forgets a key that was revoked, so that this process refuses it from now on; others do within two seconds. */
  forget(keyId: string): void {
    this.#revocations += 1;
    this.#recent.clear();
    for (const [digest, { caller }] of this.#cache) if (caller?.actor === `key:${keyId}`) this.#cache.delete(digest);
  }

  async #find(token: string, digest: string): Promise<Caller | null> {
    if (this.#adminHash !== null && timingSafeEqual(Buffer.from(digest), this.#adminHash)) {
      return this.#remember(
        digest,
        { actor: 'key:admin', scopes: new Set(apiKeyScopes), ownCustomerId: null },
        Infinity,
      );
    }
    if (this.#key !== null && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return this.#person(token, digest);
    const revocations = this.#revocations;
    const key = token.startsWith('scrip_') ? await this.findApiKey(digest) : null;
    const caller: Caller | null =
      key === null ? null : { actor: `key:${key.id}`, scopes: asScopes(key.scopes), ownCustomerId: null };
    return revocations === this.#revocations ? this.#remember(digest, caller, Infinity) : caller;
  }

  async #person(token: string, digest: string): Promise<Caller | null> {
    const payload = await this.#verified(token);
    return this.#remember(digest, payload === null ? null : callerFrom(payload), (payload?.exp ?? Infinity) * 1000);
  }

  async #verified(token: string): Promise<JWTPayload | null> {
    const { issuer, audience } = this.config.jwt;
    const options = {
      algorithms: this.#algorithms,
      requiredClaims: ['exp'],
      currentDate: new Date(this.clock.now()),
      ...(issuer === null ? {} : { issuer }),
      ...(audience === null ? {} : { audience }),
    };
    try {
      const key = this.#key;
      if (key === null) return null;
      const { payload } =
        key instanceof Uint8Array ? await jwtVerify(token, key, options) : await jwtVerify(token, key, options);
      return payload;
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof TypeError) return null;
      throw error;
    }
  }

  #remember(digest: string, caller: Caller | null, expiresAt: number): Caller | null {
    if (this.#cache.size >= maxCached) this.#cache.delete(this.#cache.keys().next().value ?? '');
    this.#cache.set(digest, { caller, until: Math.min(this.clock.now() + cacheMs, expiresAt) });
    return caller;
  }
}

/** The claims `customer` and `role` say what a person may see. Anything else in them proves nobody. */
function callerFrom(payload: JWTPayload): Caller | null {
  const { sub, customer, role } = payload;
  const actor = `user:${typeof sub === 'string' && /^[\x21-\x7e]{1,128}$/.test(sub) ? sub : 'unknown'}`;
  if (role === 'platform_admin') return { actor, scopes: operator, ownCustomerId: null };
  if (role !== 'member' && role !== 'org_admin') return null;
  if (typeof customer !== 'string' || !isCustomerId(customer)) return null;
  return { actor, scopes: nothing, ownCustomerId: customer };
}
