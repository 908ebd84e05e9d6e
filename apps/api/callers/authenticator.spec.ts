import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { SignJWT, UnsecuredJWT } from 'jose';
import { Clock } from '#kernel/clock.js';
import { Authenticator } from './authenticator.js';

class SetClock extends Clock {
  ms = Date.parse('2026-11-21T08:00:00Z');
  override now(): number {
    return this.ms;
  }
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
  override random(): number {
    return 0.5;
  }
}

const secret = 'a-secret-of-32-characters-or-more';
const sign = (claims: object, by = secret, exp: number | null = 1_800_000_000): Promise<string> => {
  const jwt = new SignJWT(claims as never).setProtectedHeader({ alg: 'HS256' }).setSubject('u1');
  return (exp === null ? jwt : jwt.setExpirationTime(exp)).sign(new TextEncoder().encode(by));
};

function setUp(keys: Record<string, string[]> = {}): {
  auth: Authenticator;
  clock: SetClock;
  asked: string[];
  keys: Map<string, string[]>;
} {
  const clock = new SetClock();
  const asked: string[] = [];
  const known = new Map(Object.entries(keys));
  const find = (digest: string) => {
    asked.push(digest);
    const found = [...known].find(([key]) => createHash('sha256').update(key).digest('hex') === digest);
    return Promise.resolve(found === undefined ? null : { id: 'k1', scopes: found[1] });
  };
  const config = { adminApiKey: 'the-admin-key', jwt: { secret, jwksUrl: null, issuer: null, audience: null } };
  return { auth: new Authenticator(config, clock, find), clock, asked, keys: known };
}

describe('Authenticator', () => {
  it.each([[undefined], [''], ['Basic dTpw'], ['Bearer'], ['Bearer  x y']])(
    'knows nobody behind %p',
    async (header) => {
      expect(await setUp().auth.callerOf(header)).toBeNull();
    },
  );

  it('knows the operator of the environment, with every scope', async () => {
    const caller = await setUp().auth.callerOf('Bearer the-admin-key');
    expect(caller).toMatchObject({ actor: 'key:admin', ownCustomerId: null });
    expect([...caller!.scopes]).toEqual(['credits:write', 'credits:read', 'ledger:read', 'admin']);
    expect(await setUp().auth.callerOf('Bearer the-admin-kex')).toBeNull();
  });

  it('forgets a revoked key at once, also when it is just being looked up', async () => {
    const { auth, keys } = setUp({ scrip_abc: ['credits:read'] });
    expect(await auth.callerOf('Bearer scrip_abc')).not.toBeNull();
    keys.delete('scrip_abc');
    expect(await auth.callerOf('Bearer scrip_abc')).not.toBeNull();
    auth.forget('k1');
    expect(await auth.callerOf('Bearer scrip_abc')).toBeNull();

    keys.set('scrip_def', ['credits:read']);
    const underWay = auth.callerOf('Bearer scrip_def');
    keys.delete('scrip_def');
    auth.forget('k1');
    await underWay;
    expect(await auth.callerOf('Bearer scrip_def')).toBeNull();
  });

  it('asks once for a key, and again after two seconds, so a revoked key ends', async () => {
    const { auth, clock, asked, keys } = setUp({ scrip_abc: ['credits:write', 'made-up'] });
    const first = await auth.callerOf('Bearer scrip_abc');
    expect(first).toEqual({ actor: 'key:k1', scopes: new Set(['credits:write']), ownCustomerId: null });
    expect(auth.callerOf('Bearer scrip_abc')).toBe(first);
    keys.clear();
    clock.ms += 2_001;
    expect(await auth.callerOf('Bearer scrip_abc')).toBeNull();
    expect(auth.callerOf('Bearer scrip_abc')).toBeNull();
    expect(asked).toHaveLength(2);
  });

  it('knows people and what they may see', async () => {
    const { auth } = setUp();
    expect(await auth.callerOf(`Bearer ${await sign({ customer: 'acme', role: 'member' })}`)).toEqual({
      actor: 'user:u1',
      scopes: new Set(),
      ownCustomerId: 'acme',
    });
    expect(await auth.callerOf(`Bearer ${await sign({ role: 'platform_admin' })}`)).toMatchObject({
      ownCustomerId: null,
    });
  });

  it('refuses tokens without expiry, expired, of another secret, without algorithm, without role or customer', async () => {
    const { auth } = setUp();
    const member = { customer: 'acme', role: 'member' };
    const bad = [
      await sign(member, secret, null),
      await sign(member, secret, 1_700_000_000),
      await sign(member, 'another-secret-of-32-characters!!'),
      new UnsecuredJWT(member).setExpirationTime(1_800_000_000).encode(),
      await sign({ customer: 'acme' }),
      await sign({ customer: 'acme', role: 'root' }),
      await sign({ role: 'member' }),
      await sign({ customer: 'not ok', role: 'member' }),
    ];
    for (const token of bad) expect(await auth.callerOf(`Bearer ${token}`)).toBeNull();
  });

  it('does not remember a token beyond its expiry', async () => {
    const { auth, clock } = setUp();
    const token = await sign({ customer: 'acme', role: 'member' }, secret, clock.ms / 1000 + 1);
    expect(await auth.callerOf(`Bearer ${token}`)).not.toBeNull();
    clock.ms += 1_500;
    expect(await auth.callerOf(`Bearer ${token}`)).toBeNull();
  });
});
