import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { ManualClock } from '../../../test/support/worlds/manual-clock.js';
import { Authenticator } from './authenticator.js';

const jwt = { secret: null, jwksUrl: 'https://login.example/keys', issuer: null, audience: null };
const setUp = (): Authenticator =>
  new Authenticator({ adminApiKey: null, jwt }, new ManualClock(), () => Promise.resolve(null));

describe('tokens verified by a key set', () => {
  let known: { readonly key: CryptoKey; readonly jwk: JWK };
  const answers = (answer: () => Response): void => {
    jest.spyOn(globalThis, 'fetch').mockImplementation(() => Promise.resolve().then(answer));
  };
  const keysAnswer = (): Response => Response.json({ keys: [known.jwk] });
  const token = (key: CryptoKey, kid: string): Promise<string> =>
    new SignJWT({ customer: 'acme', role: 'member' })
      .setProtectedHeader({ alg: 'ES256', kid })
      .setSubject('u1')
      .setExpirationTime(4_000_000_000)
      .sign(key);

  beforeAll(async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    known = { key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' } };
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  it.each<[string, () => Response]>([
    [
      'cannot be reached',
      () => {
        throw new TypeError('fetch failed');
      },
    ],
    [
      'takes too long',
      () => {
        throw new DOMException('too long', 'TimeoutError');
      },
    ],
    ['fails', () => new Response('', { status: 500 })],
    ['is no JSON', () => new Response('<html>')],
    ['is no key set', () => Response.json({ error: 'busy' })],
  ])('are not refused while it %s, and known as soon as it is back', async (_, outage) => {
    const auth = setUp();
    const bearer = `Bearer ${await token(known.key, 'k1')}`;
    answers(outage);
    await expect(auth.callerOf(bearer)).rejects.toMatchObject({ code: 'key_set_unavailable' });
    answers(keysAnswer);
    expect(await auth.callerOf(bearer)).toMatchObject({ actor: 'user:u1', ownCustomerId: 'acme' });
  });

  it('are refused when they are signed by another key', async () => {
    answers(keysAnswer);
    const { privateKey } = await generateKeyPair('ES256');
    expect(await setUp().callerOf(`Bearer ${await token(privateKey, 'k1')}`)).toBeNull();
    expect(await setUp().callerOf(`Bearer ${await token(privateKey, 'k2')}`)).toBeNull();
  });
});
