import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../../support/eventually.js';
import { Installation, place, scrip, type Ended } from '../../support/processes/installation.js';
import { query } from '../../support/databases/postgres.js';

describe('scrip, the command line', () => {
  let at: Awaited<ReturnType<typeof place>>;
  let up: Installation;
  let exported: string;

  beforeAll(async () => {
    at = await place();
    exported = join(at.dataDir, 'export.ndjson');
    up = await Installation.start(at.variables);
    await up.call('POST', '/customers/acme/grants', { amount: 100, source: 'purchase' }, 'g');
    await up.call('POST', '/customers/acme/consumptions', { amount: 30 }, 'c');
    await up.call('POST', '/customers/beta/grants', { amount: 7, source: 'promotion' }, 'g');
  });

  afterAll(async () => {
    await up.stop();
    await at.remove();
  });

  const run = (...args: string[]): Promise<Ended> => scrip(args, at.variables);
  const json = async (...args: string[]): Promise<{ code: number | null; answer: Record<string, unknown> }> => {
    const { code, stdout } = await run(...args, '--json');
    return { code, answer: JSON.parse(stdout) as Record<string, unknown> };
  };

  it('makes, lists and revokes API keys that the api knows at once', async () => {
    const made = await json('keys', 'create', '--name', 'reports', '--scopes', 'credits:read,ledger:read');
    expect(made).toMatchObject({ code: 0, answer: { name: 'reports', scopes: ['credits:read', 'ledger:read'] } });
    const { secret, id } = made.answer as unknown as { secret: string; id: string };
    const ask = (): Promise<Response> =>
      fetch(`${up.url}/v1/customers/acme/balance`, { headers: { authorization: `Bearer ${secret}` } });
    expect((await ask()).status).toBe(200);
    expect((await run('keys', 'list')).stdout).toContain(id);
    expect((await run('keys', 'list')).stdout).not.toContain(secret);
    expect(await json('keys', 'revoke', id)).toMatchObject({ code: 0 });
    expect((await run('keys', 'revoke', 'key_none')).code).toBe(1);
  });

  it('shows and applies what changed in the catalogue file', async () => {
    const file = join(at.dataDir, 'catalog.yaml');
    const text = await readFile('catalog.yaml', 'utf8');
    await writeFile(file, text.replace('cost: 25', 'cost: 30').replace(/ {2}- \{ id: pack-50,.*\n/, ''));
    const diff = await run('catalog', 'diff', file);
    expect(diff.code).toBe(1);
    expect(diff.stdout.trim().split('\n')).toEqual([
      '- credit product pack-50',
      '~ credit event ai_inference  (price: {"kind":"flat","cost":25} → {"kind":"flat","cost":30})',
    ]);
    expect((await run('catalog', 'apply', file)).code).toBe(0);
    expect(await run('catalog', 'diff', file)).toMatchObject({ code: 0, stdout: 'nothing to change\n' });
    await writeFile(file, 'plans: [{ id: a }]');
    expect(await run('catalog', 'apply', file)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('plans[0].name'),
    });
    expect((await run('catalog', 'apply', join(at.dataDir, 'none.yaml'))).code).toBe(2);
  });

  it('sends credits to another customer once per key, and shows when they have arrived', async () => {
    await up.call('POST', '/customers/giver/grants', { amount: 50, source: 'promotion' }, 'g');
    await up.call('PUT', '/customers/taker', {}, 'p');
    const give = ['transfers', 'send', '--customer', 'giver', '--to', 'taker', '--amount'];
    const first = await json(...give, '20', '--key', 'k');
    expect(first).toMatchObject({ code: 0, answer: { fromCustomerId: 'giver', amount: 20, replayed: false } });
    const { id } = first.answer;
    expect(await json(...give, '20', '--key', 'k')).toMatchObject({ code: 0, answer: { id, replayed: true } });
    expect(await run(...give, '40')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('insufficient_credits'),
    });
    expect((await run('transfers', 'send', '--customer', 'giver', '--to', 'nosuch', '--amount', '1')).code).toBe(1);
    expect((await run('transfers', 'send', '--customer', 'giver', '--to', 'giver', '--amount', '1')).code).toBe(2);
    const listed = await eventually(
      () => json('transfers', 'list', '--customer', 'taker'),
      ({ answer }) => JSON.stringify(answer).includes('completed'),
    );
    expect(listed.answer).toMatchObject({ transfers: [{ id, fromCustomerId: 'giver', status: 'completed' }] });
  });

  it('records what was used once per key, up to the limit, and sums it up', async () => {
    await up.call('POST', '/customers/initech/subscription', { plan: 'free' }, 'f');
    const use = ['usage', 'record', '--customer', 'initech', '--feature', 'api_calls'];
    const first = await json(...use, '--quantity', '60', '--key', 'k');
    expect(first).toMatchObject({
      code: 0,
      answer: { quantity: 60, replayed: false, limits: [{ used: 60, limit: 100 }] },
    });
    const { id } = first.answer;
    expect(await json(...use, '--quantity', '60', '--key', 'k')).toMatchObject({ answer: { id, replayed: true } });
    const { code, stderr } = await run(...use, '--quantity', '41');
    expect([code, stderr]).toEqual([1, expect.stringContaining('60 of 100 api_calls are used in this day')]);
    expect(await json(...use, '--quantity', '41', '--no-limit-check')).toMatchObject({ code: 0 });
    expect((await run(...use, '--quantity', '0')).code).toBe(2);
    expect((await run('usage', 'record', '--customer', 'initech', '--feature', 'none')).code).toBe(1);
    expect(await json('usage', 'summary', '--customer', 'initech')).toMatchObject({
      code: 0,
      answer: { plan: { id: 'free' }, limits: [{ feature: 'api_calls', window: 'day', used: 101 }] },
    });
    expect((await run('usage', 'summary', '--customer', 'nosuch')).stdout).toBe('nosuch has no plan\n');
  });

  it('sets, shows and removes budgets', async () => {
    const ofTeam = ['--customer', 'hooli', '--scope', 'team:growth'];
    const set = await json(
      'budgets',
      'set',
      ...ofTeam,
      '--limit',
      '50',
      '--window',
      'week',
      '--time-zone',
      'Asia/Tokyo',
    );
    expect(set).toMatchObject({ code: 0, answer: { scope: 'team:growth', limit: 50, used: 0, removed: false } });
    await up.call('POST', '/customers/hooli/grants', { amount: 100, source: 'purchase' }, 'g');
    await up.call('POST', '/customers/hooli/consumptions', { amount: 40, scope: 'team:growth/agent:a' }, 'c');
    expect(await json('budgets', 'list', '--customer', 'hooli')).toMatchObject({
      answer: { budgets: [{ scope: 'team:growth', window: 'week', timeZone: 'Asia/Tokyo', used: 40, remaining: 10 }] },
    });
    const { code, stderr } = await run(
      'budgets',
      'set',
      ...ofTeam,
      ...'--limit 39 --window week --time-zone Asia/Tokyo'.split(' '),
    );
    expect([code, stderr]).toEqual([1, expect.stringContaining('40 of team:growth are used already')]);
    expect((await run('budgets', 'set', ...ofTeam, '--limit', '5', '--window', 'year')).code).toBe(2);
    expect((await run('budgets', 'remove', '--customer', 'hooli', '--scope', 'growth')).code).toBe(2);
    expect((await run('budgets', 'remove', ...ofTeam)).stdout).toBe('team:growth has no budget any more\n');
    expect((await run('budgets', 'remove', ...ofTeam)).code).toBe(1);
    expect((await run('budgets', 'list', '--customer', 'hooli')).stdout).toBe('no budgets\n');
  });

  it('says that there is no such account', async () => {
    expect(await run('replay', '--customer', 'nosuch')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'there is no account of nosuch in credits\n',
    });
  });

  it.each([['migrate'], ['replay', '--customer', 'acme'], ['audit', 'verify'], ['keys', 'list']])(
    'says in one sentence that the database is away: %s %s',
    async (...args) => {
      const away = { ...at.variables, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' };
      const { code, stderr } = await scrip(args, away);
      const name = args.filter((arg) => !/^--|^acme$/.test(arg)).join(' ');
      expect([code, stderr]).toEqual([1, `scrip ${name}: the database cannot be reached (ECONNREFUSED)\n`]);
    },
  );

  it('replays an account at any instant', async () => {
    const now = await json('replay', '--customer', 'acme');
    expect(now).toMatchObject({ code: 0, answer: { balance: { available: 70, held: 0, debt: 0 }, violations: [] } });
    const events = now.answer['events'] as { type: string; recordedAt: string }[];
    expect(events.map(({ type }) => type)).toEqual(['AccountOpened', 'CreditsGranted', 'CreditsConsumed']);
    const then = await json('replay', '--customer', 'acme', '--at', events[1]!.recordedAt);
    expect(then.answer['balance']).toMatchObject({ available: 100 });
    const before = await json('replay', '--customer', 'acme', '--at', '2020-01-01T00:00:00Z');
    expect(before.answer).toMatchObject({ balance: { available: 0 }, events: [] });
  });

  it('explains a balance at any moment, and forecasts', async () => {
    const now = await json('explain', '--customer', 'acme');
    expect(now).toMatchObject({
      code: 0,
      answer: {
        available: 70,
        grants: [{ source: 'purchase', granted: 100, available: 70, consumed: 30, uses: 1 }],
        sums: { granted: 100, available: 70, consumed: 30, debt: 0 },
      },
    });
    const { events } = (await json('replay', '--customer', 'acme')).answer as { events: { position: string }[] };
    const then = await json('explain', '--customer', 'acme', '--position', String(Number(events[1]!.position)));
    expect(then.answer).toMatchObject({ available: 100, position: events[1]!.position, grants: [{ uses: 0 }] });
    const before = await json('explain', '--customer', 'acme', '--at', '2020-01-01T00:00:00Z');
    expect(before.answer).toMatchObject({ available: 0, grants: [] });
    expect((await run('explain', '--customer', 'acme')).stdout).toMatch(/70 credits available, 0 held, 0 owed\n$/);
    const forecast = { available: 70, perDay: '30', daysLeft: 2.33, expiringUnused: [], basis: { consumed: 30 } };
    expect(await json('forecast', '--customer', 'acme')).toMatchObject({ code: 0, answer: forecast });
    expect((await run('forecast', '--customer', 'acme')).stdout).toMatch(/30 a day: they run out on .*, in 2.33 days/);
    expect((await run('forecast', '--customer', 'nosuch')).code).toBe(1);
  });

  it('exports the log, and verifies it with and without a database', async () => {
    expect(await run('events', 'export', '--output', exported)).toMatchObject({ code: 0, stdout: '' });
    const { stdout } = await run('events', 'export');
    expect(await readFile(exported, 'utf8')).toBe(stdout);
    const { adminApiKey } = await up.secrets();
    const api = await fetch(`${up.url}/v1/events`, {
      headers: { authorization: `Bearer ${adminApiKey}`, accept: 'application/x-ndjson' },
    });
    const lines = stdout.trimEnd().split('\n');
    expect(await api.text()).toBe(`${lines.slice(0, -1).join('\n')}\n`);
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ end: { events: lines.length - 1, after: '0'.repeat(19) } });
    expect(await json('audit', 'verify')).toMatchObject({ code: 0, answer: { ok: true, log: { accounts: 6 } } });
    const offline = await scrip(['audit', 'verify', '--from-export', exported], {
      DATABASE_URL: 'postgres://127.0.0.1:1/none',
    });
    expect(offline).toMatchObject({ code: 0, stdout: expect.stringContaining('the log is sound') });
  });

  it('names the line of an export that was changed', async () => {
    const lines = (await readFile(exported, 'utf8')).trimEnd().split('\n');
    const index = lines.findIndex((line) => line.includes('"CreditsConsumed"'));
    const changed = join(at.dataDir, 'changed.ndjson');
    const verify = (text: string[]): Promise<Ended> =>
      writeFile(changed, `${text.join('\n')}\n`).then(() => run('audit', 'verify', '--from-export', changed, '--json'));
    const { position } = JSON.parse(lines[index]!) as { position: string };
    const edited = await verify(lines.with(index, lines[index]!.replace('"available":70', '"available":71')));
    expect(edited.code).toBe(1);
    expect(JSON.parse(edited.stdout)).toMatchObject({
      ok: false,
      log: { findings: [{ position, stream: 'account-acme' }, {}] },
    });
    expect((await verify(lines.toSpliced(index, 1))).code).toBe(1);
    expect((await verify(lines.with(index, 'nonsense'))).code).toBe(1);
    for (const cut of [
      lines.slice(0, -1),
      lines.toSpliced(-2, 1),
      [...lines, lines[0]!],
      [...lines, lines.at(-1)!],
      [],
    ])
      expect((await verify(cut)).code).toBe(1);
    await writeFile(changed, lines.slice(0, -1).join('\n'));
    const older = await run('audit', 'verify', '--from-export', changed, '--without-end');
    expect(older).toMatchObject({ code: 0, stdout: expect.stringContaining('whether it is all cannot be told') });
    expect((await run('audit', 'verify', '--from-export', join(at.dataDir, 'none'))).code).toBe(2);
  });

  it('tells how the read models are, compares them, and asks for a rebuild', async () => {
    expect((await run('projections', 'status')).stdout).toMatch(/^balances +\d+ +live +running/m);
    expect(await run('projections', 'rebuild', 'balances')).toMatchObject({ code: 0 });
    expect((await run('projections', 'rebuild', 'nothing')).code).toBe(2);
    expect((await run('projections', 'compare', 'history')).code).toBe(0);
    const { databaseUrl } = await up.running();
    await query(databaseUrl, `update scrip_read.history set amount = amount + 1`);
    const compared = await json('projections', 'compare', 'history');
    expect(compared).toMatchObject({ code: 1 });
    expect(JSON.stringify(compared.answer)).toContain('amount');
    const differing = await run('audit', 'verify');
    expect([differing.code, differing.stdout]).toEqual([
      1,
      expect.stringContaining('the log is sound, but not what is shown of it: history'),
    ]);
    expect((await run('audit', 'verify', '--log-only')).code).toBe(0);
    await query(databaseUrl, `update scrip_read.history set amount = amount - 1`);
  });

  it('lists and retries parked events', async () => {
    expect(await run('stripe', 'parked')).toMatchObject({ code: 0, stdout: 'no event is parked\n' });
    expect(await run('stripe', 'retry', 'evt_none')).toMatchObject({ code: 1, stdout: 'evt_none is not known\n' });
    expect((await run('stripe', 'retry')).code).toBe(2);
    expect(await run('stripe', 'parked', '--code', 'unknown_price', '--set-aside')).toMatchObject({
      code: 0,
      stdout: 'no event is set aside\n',
    });
    expect(await run('stripe', 'set-aside', 'evt_none', '--reason', 'a test')).toMatchObject({
      code: 1,
      stdout: 'evt_none is not known\n',
    });
    expect((await run('stripe', 'set-aside', '--reason', 'a test')).code).toBe(2);
  });

  it('notices that the end of the log is gone', async () => {
    const { databaseUrl } = await up.running();
    const newest = 'where position = (select max(position) from scrip_log.events)';
    // A read model that has not seen the newest event yet would never see it.
    await eventually(
      () => run('audit', 'verify'),
      ({ code }) => code === 0,
    );
    await query(databaseUrl, `create table cut_off as select * from scrip_log.events ${newest}`);
    await query(databaseUrl, `delete from scrip_log.events ${newest}`);
    const { code, stdout } = await run('audit', 'verify');
    expect([code, stdout]).toEqual([1, expect.stringContaining('events at its end are missing')]);
    await query(databaseUrl, 'insert into scrip_log.events select * from cut_off');
    await query(databaseUrl, 'drop table cut_off');
    expect((await run('audit', 'verify')).code).toBe(0);
  });

  it('names the first bad event of a log that somebody edited', async () => {
    const { databaseUrl } = await up.running();
    const edit = (from: string, to: string): Promise<unknown> =>
      query(databaseUrl, 'update scrip_log.events set data = replace(data, $1, $2) where type = $3', [
        from,
        to,
        'CreditsConsumed',
      ]);
    await edit('"available":70', '"available":90');
    const { code, stdout } = await run('audit', 'verify', '--log-only');
    expect(code).toBe(1);
    expect(stdout).toMatch(/first bad event: position \d+, stream account-acme, revision 2: the hash does not fit/);
    await edit('"available":90', '"available":70');
    // Now no read model can be folded from the log, and the answer is still which event is bad.
    await edit('"allocations":', '"nothing":');
    const broken = await run('audit', 'verify');
    expect(broken.code).toBe(1);
    expect(broken.stdout).toMatch(
      /first bad event: position \d+, stream account-acme, revision 2: the hash does not fit/,
    );
    await edit('"nothing":', '"allocations":');
    expect((await run('audit', 'verify', '--log-only')).code).toBe(0);
  });

  it('answers wrong use with 2 and says what is wrong', async () => {
    for (const args of [
      [],
      ['nonsense'],
      ['keys'],
      ['keys', 'create'],
      ['replay'],
      ['explain', '--customer', 'acme', '--at', '2026-01-01T00:00:00Z', '--position', '1'],
      ['explain', '--customer', 'acme', '--position', 'first'],
      ['keys', 'list', '--nope'],
      ['keys', 'list', 'more'],
    ])
      expect(await run(...args)).toMatchObject({ code: 2 });
    for (const at of ['yesterday', '2026-13-01T00:00:00Z'])
      expect((await run('replay', '--customer', 'acme', '--at', at)).code).toBe(2);
    expect((await run('--help')).code).toBe(0);
    expect((await run('audit', 'verify', '--help')).stdout).toContain('--from-export FILE');
    const wrong = await scrip(['keys', 'list'], { ...at.variables, PORT: 'eighty' });
    const reason = { error: { message: expect.stringMatching(/./) } };
    expect(await json('stripe', 'retry')).toMatchObject({ code: 2, answer: reason });
    expect(await json('nonsense')).toMatchObject({ code: 2, answer: reason });
    expect(wrong).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('PORT') });
  });

  it('works with the data directory when nothing runs', async () => {
    await up.stop();
    expect(await json('replay', '--customer', 'beta')).toMatchObject({
      code: 0,
      answer: { balance: { available: 7 } },
    });
    expect((await run('audit', 'verify')).code).toBe(0);
    up = await Installation.start(at.variables);
  });
});
