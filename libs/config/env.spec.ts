import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { ConfigError, loadConfig } from './env.js';

const refusal = (env: NodeJS.ProcessEnv): string => {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
  }
  return '';
};

describe('loadConfig', () => {
  it('needs nothing', () => {
    expect(loadConfig({})).toMatchObject({
      host: '127.0.0.1',
      port: 3000,
      metricsPort: null,
      databaseUrl: null,
      eventStore: { kind: 'postgres' },
      stripe: { billingEnabled: true, webhookSecrets: [], livemode: false },
    });
  });

  it('takes an empty variable for one that is not set', () => {
    expect(loadConfig({ PORT: '', DATABASE_URL: ' ', STRIPE_WEBHOOK_SECRET: '' })).toEqual(loadConfig({}));
  });

  it('reads lists, for the rotation of secrets', () => {
    expect(loadConfig({ STRIPE_WEBHOOK_SECRET: 'whsec_a, whsec_b,' }).stripe.webhookSecrets).toEqual([
      'whsec_a',
      'whsec_b',
    ]);
  });

  it('knows a live key', () => {
    expect(loadConfig({ STRIPE_SECRET_KEY: 'sk_live_123456' }).stripe.livemode).toBe(true);
    expect(loadConfig({ STRIPE_SECRET_KEY: 'sk_test_123456' }).stripe.livemode).toBe(false);
  });

  it('names every wrong variable and its rule, and no value', () => {
    const message = refusal({
      PORT: '70000',
      LOG_LEVEL: 'loud',
      JWT_SECRET: 'short-secret',
      DATABASE_URL: 'mysql://u:hunter2@h/db',
    });
    expect(message).toContain('PORT must be a whole number from 0 to 65535');
    expect(message).toContain('LOG_LEVEL must be one of');
    expect(message).toContain('JWT_SECRET must have at least 16 characters');
    expect(message).toContain('DATABASE_URL must be a URL that starts with postgres:// or postgresql://');
    expect(message).not.toMatch(/70000|loud|short-secret|hunter2/);
  });

  it('takes a key of metadata that means nothing else and is no name of personal data', () => {
    const keyOf = (key: string): string => loadConfig({ STRIPE_CUSTOMER_KEY: key }).stripe.customerKey;
    expect([keyOf(''), keyOf('scrip_customer')]).toEqual(['customer_id', 'scrip_customer']);
    for (const key of ['a'.repeat(41), 'a[b]', 'a b', 'credits', 'scrip_intent', 'customer_email', 'userName'])
      expect(refusal({ STRIPE_CUSTOMER_KEY: key })).toMatch(/^STRIPE_CUSTOMER_KEY must /);
  });

  it('takes one way to verify tokens, not two', () => {
    const secret = { JWT_SECRET: 'a-secret-of-32-characters-or-more' };
    const keySet = { JWT_JWKS_URL: 'https://login.example/keys' };
    expect(refusal({ ...secret, ...keySet })).toBe('JWT_SECRET and JWT_JWKS_URL must not both be set');
    expect([refusal(secret), refusal(keySet)]).toEqual(['', '']);
  });

  it('takes a direct address only beside the pooled one', () => {
    const direct = { DATABASE_DIRECT_URL: 'postgres://scrip@db:5432/scrip' };
    expect(refusal(direct)).toBe('DATABASE_DIRECT_URL needs DATABASE_URL');
    expect(loadConfig({ ...direct, DATABASE_URL: 'postgres://scrip@pooler:6432/scrip' }).databaseDirectUrl).toBe(
      direct.DATABASE_DIRECT_URL,
    );
  });

  it('needs the address of EventStoreDB when that is chosen', () => {
    expect(refusal({ EVENT_STORE: 'eventstoredb' })).toBe('EVENTSTORE_URL is needed when EVENT_STORE is eventstoredb');
    expect(refusal({ EVENT_STORE: 'eventstoredb', EVENTSTORE_URL: 'http://x' })).toMatch(
      /^EVENTSTORE_URL must be a URL/,
    );
    expect(
      loadConfig({ EVENT_STORE: 'eventstoredb', EVENTSTORE_URL: 'esdb://localhost:2113?tls=false' }).eventStore,
    ).toEqual({
      kind: 'eventstoredb',
      url: 'esdb://localhost:2113?tls=false',
    });
  });

  it('cannot be changed afterwards', () => {
    const config = loadConfig({});
    expect(Object.isFrozen(config) && Object.isFrozen(config.stripe) && Object.isFrozen(config.corsOrigins)).toBe(true);
  });

  it('reads exactly the variables of .env.example, whose values are the defaults', () => {
    const asked = new Set<string>();
    const recorder = new Proxy({} as NodeJS.ProcessEnv, {
      get: (_, name: string) => {
        asked.add(name);
        return name === 'EVENT_STORE'
          ? 'eventstoredb'
          : name === 'EVENTSTORE_URL'
            ? 'esdb://localhost:2113'
            : undefined;
      },
    });
    loadConfig(recorder);
    const text = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');
    const example = Object.fromEntries(
      [...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
    );
    expect(Object.keys(example).sort()).toEqual([...asked].sort());
    expect(loadConfig(example)).toEqual(loadConfig({}));
  });
});
