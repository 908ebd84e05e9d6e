import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { median } from './histogram.js';

/** What the figures were measured on. */
export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly postgres: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Median time to write 8 KiB and sync it, in the directory that holds the database, in microseconds. */
  readonly fdatasyncMicros: number;
  readonly loadAverage: string;
};

const shown = [
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_sync_method',
  'shared_buffers',
  'max_wal_size',
  'wal_compression',
];

export async function describeMachine(pool: pg.Pool): Promise<Machine> {
  const version = await pool.query<{ server_version: string }>('show server_version');
  const rows = await pool.query<{ name: string; setting: string }>(
    'select name, current_setting(name) as setting from pg_settings where name = any($1)',
    [shown],
  );
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    postgres: version.rows[0]!.server_version,
    settings: Object.fromEntries(rows.rows.map(({ name, setting }) => [name, setting])),
    fdatasyncMicros: syncTime(),
    loadAverage: readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' '),
  };
}

function syncTime(): number {
  const directory = mkdtempSync(join(tmpdir(), 'scrip-sync-'));
  const file = openSync(join(directory, 'probe'), 'w');
  const page = Buffer.alloc(8192, 1);
  const times = Array.from({ length: 200 }, () => {
    const begin = performance.now();
    writeSync(file, page);
    fdatasyncSync(file);
    return (performance.now() - begin) * 1000;
  });
  closeSync(file);
  rmSync(directory, { recursive: true });
  return Math.round(median(times));
}
