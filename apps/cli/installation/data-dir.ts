import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What a running `scrip up` leaves for others to find. */
export type Running = {
  /** The supervisor. */
  readonly pid: number;
  readonly url: string;
  /** Null until it is known. */
  readonly databaseUrl: string | null;
  /** How the offline Stripe that it started is called; null when there is none. */
  readonly sandbox: { readonly apiBase: string; readonly secretKey: string } | null;
  /** The processes it started, by name. */
  readonly children: { readonly [name: string]: number };
};

/** Made once and kept, so that clients and Stripe's settings stay valid over restarts. */
export type Secrets = { readonly adminApiKey: string; readonly webhookSecret: string };

/** Another live process works in this directory. */
export class DataDirInUse extends Error {
  override readonly name = 'DataDirInUse';
}

/** The directory that holds everything `scrip up` keeps: database, secrets, and who works on it. */
export class DataDir {
  readonly path: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.path = resolve(path);
  }

  /** Where the embedded PostgreSQL lives. */
  get postgres(): string {
    return join(this.path, 'postgres');
  }

  /** Makes the directory and takes it for this process. Throws DataDirInUse while another process has it. */
  async lock(): Promise<void> {
    await mkdir(this.path, { recursive: true });
    const lock = join(this.path, 'lock');
    const mine = join(this.path, `lock.${String(process.pid)}`);
    await writeFile(mine, String(process.pid));
    try {
      while (!(await linked(mine, lock))) {
        const owner = Number(await readFile(lock, 'utf8').catch(() => '0'));
        if (owner !== process.pid && (await isScrip(owner)))
          throw new DataDirInUse(
            `scrip is running already in ${this.path} (process ${String(owner)}): ` +
              'stop it first, or set SCRIP_DATA_DIR to another directory',
          );
        await unlink(lock).catch(() => undefined);
      }
    } finally {
      await unlink(mine);
    }
  }

  async unlock(): Promise<void> {
    await rm(join(this.path, 'running.json'), { force: true });
    await rm(join(this.path, 'lock'), { force: true });
  }

  async secrets(): Promise<Secrets> {
    const file = join(this.path, 'secrets.json');
    const kept = await readFile(file, 'utf8').catch(() => null);
    if (kept !== null) return JSON.parse(kept) as Secrets;
    const secrets: Secrets = {
      adminApiKey: `scrip_${randomBytes(32).toString('base64url')}`,
      webhookSecret: `whsec_${randomBytes(32).toString('base64url')}`,
    };
    await this.#write(file, secrets);
    return secrets;
  }

  /** Where the offline Stripe keeps its world. */
  get sandbox(): string {
    return join(this.path, 'stripe-sandbox.json');
  }

  async announce(running: Running): Promise<void> {
    await this.#write(join(this.path, 'running.json'), running);
  }

  /** What the last `scrip up` announced, whether it still runs or was killed. */
  async lastAnnounced(): Promise<Running | null> {
    const text = await readFile(join(this.path, 'running.json'), 'utf8').catch(() => null);
    return text === null ? null : (JSON.parse(text) as Running);
  }

  /** What runs now; null when nothing does. */
  async running(): Promise<Running | null> {
    const announced = await this.lastAnnounced();
    return announced !== null && (await isScrip(announced.pid)) ? announced : null;
  }

  /** Whole or not at all, readable by the owner only; one after the other. */
  #write(file: string, value: object): Promise<void> {
    return (this.#writing = this.#writing.catch(() => undefined).then(() => this.#replace(file, value)));
  }

  async #replace(file: string, value: object): Promise<void> {
    const next = `${file}.${String(process.pid)}`;
    await writeFile(next, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
    await rename(next, file);
  }
}

/** True when the process is alive and one of ours: after a crash its number may belong to another program. */
export async function isScrip(pid: number): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  const command = await readFile(`/proc/${String(pid)}/cmdline`, 'utf8').catch(async () => {
    const ps = await run('ps', ['-o', 'command=', '-p', String(pid)]).catch(() => null);
    return ps?.stdout ?? '';
  });
  return /apps[/\\](cli|api|worker|stripe-sandbox)[/\\]main\.js/.test(command);
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
