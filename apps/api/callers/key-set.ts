import { createRemoteJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import { Problem } from '../http/problem.js';

/**
 * The keys that tokens of people are signed with, from an address. What a token is to blame for stays an error of jose.
 * Errors: the problem `key_set_unavailable` when the address gives no usable keys; then nothing is known of the token.
 */
export function remoteKeySet(url: URL): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(url);
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      if (isOfToken(error)) throw error;
      throw new Problem('key_set_unavailable');
    }
  };
}

const isOfToken = (error: unknown): boolean =>
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof errors.JWKSMultipleMatchingKeys ||
  error instanceof errors.JOSENotSupported;
