import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** What the hook says of a message, null when it lets it pass. */
function refusalOf(message: string): string | null {
  const directory = mkdtempSync(join(tmpdir(), 'scrip-commit-'));
  try {
    const file = join(directory, 'message');
    writeFileSync(file, message);
    const { status, stderr, error } = spawnSync(join(root, '.githooks/commit-msg'), [file], { encoding: 'utf8' });
    if (error !== undefined) throw error;
    return status === 0 ? null : stderr;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe('the hook for commit messages', () => {
  it.each([
    'ledger: keep the earlier grant first',
    'api, worker: bring back the drain\n\nA body of any length may follow, and say why in as many words as it takes.',
    '\n# a comment of git\nevent-store: read backwards',
    `docs: ${'a'.repeat(66)}`,
    'Merge branch "main" into fix',
    'Revert "ledger: keep the earlier grant first"',
  ])('lets pass %j', (message) => {
    expect(refusalOf(message)).toBeNull();
  });

  it.each([
    [`docs: ${'a'.repeat(67)}`, /longer than 72/],
    ['Fix the ledger', /begin with "area: "/],
    ['Ledger: fix it', /begin with "area: "/],
    ['ledger:fix it', /begin with "area: "/],
    ['ledger: fix it.', /no full stop/],
    ['ledger: fixed it', /as an order/],
    ['ledger: fixing it', /as an order/],
    ['ledger: adds it', /as an order/],
    ['', /begin with "area: "/],
  ])('refuses %j', (message, reason) => {
    expect(refusalOf(message)).toMatch(reason);
  });
});

it('the newest commits of this clone keep to it', () => {
  const log = spawnSync('git', ['log', '--max-count=20', '--no-merges', '--format=%s'], {
    cwd: root,
    encoding: 'utf8',
  });
  // Outside a clone, as in an archive of the sources, there are none.
  const subjects = log.status === 0 ? log.stdout.split('\n').filter((subject) => subject !== '') : [];
  expect(subjects.filter((subject) => refusalOf(subject) !== null)).toEqual([]);
});
