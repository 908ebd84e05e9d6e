import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Installation, place, root } from '../../support/processes/installation.js';

const hasCurl = spawnSync('curl', ['--version']).status === 0 ? it : it.skip;
const readme = readFileSync(join(root, 'README.md'), 'utf8');
/** What a person does in the browser between two blocks; whoever reads the page takes longer than the read models. */
const paying = `PAGE=$(node -p 'JSON.parse(process.argv[1]).url' "$BUY")
curl --silent --fail -d card=4242424242424242 -d expiry=12/34 -d cvc=123 "$PAGE"; sleep 2
`;
const blocks = [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);

describe('the tour in the README', () => {
  let at: Awaited<ReturnType<typeof place>>;
  let up: Installation;

  beforeAll(async () => {
    at = await place();
    up = await Installation.start(at.variables);
  });

  afterAll(async () => {
    await up.stop();
    await at.remove();
  });

  hasCurl('works when pasted', async () => {
    expect(blocks.length).toBeGreaterThan(5);
    const before = (index: number): string => (blocks[index - 1]?.startsWith('BUY=') === true ? paying : '');
    const marked = blocks.map((block, index) => `echo "### ${String(index)}"\n${before(index)}${block}`).join('\n');
    const { PATH = '', HOME = '' } = process.env;
    const env = { PATH: `${dirname(process.execPath)}:${PATH}`, HOME, ...at.variables };
    const { status, stdout, stderr } = spawnSync('bash', ['-e', '-u', '-o', 'pipefail'], {
      cwd: root,
      env,
      input: marked,
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const answers = stdout
      .split(/^### \d+\n/m)
      .slice(1)
      .map((text) => text.trim().split('\n'));
    const json = (block: number, line: number): Record<string, unknown> =>
      JSON.parse(answers[block]![line]!) as Record<string, unknown>;
    expect(json(1, 0)).toMatchObject({ amount: 1000, balance: { available: 1000 } });
    expect(json(1, 1)).toMatchObject({ amount: 20, balance: { available: 1020 } });
    expect(json(2, 0)).toMatchObject({ amount: 30, balance: { available: 990 } });
    expect(json(2, 1)).toMatchObject({ amount: 50, balance: { available: 940 } });
    expect(json(2, 2)).toEqual(json(2, 1));
    expect(json(3, 0)).toMatchObject({ status: 402, code: 'insufficient_credits', available: 940, required: 5000 });
    expect(json(5, 0)).toMatchObject({
      available: 876,
      held: 0,
      debt: 0,
      bySource: { purchase: 856, promotion: 20 },
    });
    expect((json(5, 1)['data'] as unknown[]).length).toBe(5);
    expect(answers[7]!.join('\n')).toContain('876 credits available, 0 held, 0 owed');
    expect(answers[7]!.at(-1)).toBe('the log is sound');
    expect(json(9, 0)).toMatchObject({ available: 1000, bySource: { purchase: 1000 } });
    expect(json(9, 1)).toMatchObject({
      data: [{ amount: { amount: 8000, currency: 'usd' }, status: 'succeeded' }],
    });
    expect(json(10, 0)['url']).toMatch(/\/c\/pay\/cs_test_/);
    expect(json(10, 1)['url']).toMatch(/\/p\/session\//);
    expect(json(11, 0)).toMatchObject({ plan: 'free' });
    expect(json(11, 1)).toMatchObject({ allowed: true, limits: [{ window: 'day', used: 99, remaining: 1 }] });
    expect(json(12, 0)).toMatchObject({ status: 403, code: 'usage_limit_exceeded', used: 99, limit: 100 });
    expect(json(12, 1)).toMatchObject({ data: [{ feature: 'api_calls', quantity: 99 }] });
    expect(answers[12]!.join('\n')).toContain('initech is on Free (active): api, api_calls');
    expect(json(13, 0)).toMatchObject({ scope: 'team:growth', limit: 100, remaining: 100 });
    expect(json(13, 1)).toMatchObject({ amount: 80, scope: 'team:growth/agent:writer' });
    expect(json(13, 2)).toMatchObject({ status: 403, code: 'budget_exceeded', scope: 'team:growth', used: 80 });
    expect(answers[13]!.at(-1)).toMatch(/^team:growth +100 +day +Europe\/Berlin +hard +80 +0 +20 /);
    expect(json(14, 0)).toMatchObject({ fromCustomerId: 'acme', amount: 100, status: 'completed' });
    expect(answers[14]!.join('\n')).toContain('initech');
  });
});
