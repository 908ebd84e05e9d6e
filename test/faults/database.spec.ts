import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SystemClock } from '#config/system-clock.js';
import { openDatabase, type Database, type Reader } from '#database/database.js';
import { DatabaseError } from '#database/errors.js';
import { freshDatabase, query } from '../support/databases/postgres.js';

describe('the database besides the log', () => {
  const clock = new SystemClock();
  let url: string;
  let drop: () => Promise<void>;
  let db: Database;

  beforeAll(async () => {
    ({ url, drop } = await freshDatabase());
    db = openDatabase(url, { clock, poolSize: 1 });
  });

  afterAll(async () => {
    await db.close();
    await drop();
  });

  const pidOf = async (reader: Reader): Promise<number> =>
    (await reader.query<{ pid: number }>({ text: 'select pg_backend_pid() as pid' }))[0]?.pid ?? 0;
  const terminate = (pid: number) => query(url, 'select pg_terminate_backend($1, 5000)', [pid]);

  it('loses a connection between two statements of a transaction: the transaction fails, the process goes on', async () => {
    const work = async (reader: Reader) => {
      await terminate(await pidOf(reader));
      // Nobody asks anything of the connection when the news of its end arrive.
      await clock.sleep(100);
      return reader.query({ text: 'select 1' });
    };
    await expect(db.transaction(work, { accessMode: 'read only' })).rejects.toThrow(DatabaseError);
    expect(await pidOf(db)).toBeGreaterThan(0);
  });

  it('loses a connection that waits in the pool: the next query gets another', async () => {
    const before = await pidOf(db);
    await terminate(before);
    await clock.sleep(100);
    expect(await pidOf(db)).not.toBe(before);
  });

  it('is away when it lets nobody in, whatever the reason that it gives', async () => {
    const nowhere = openDatabase(`${url}_that_is_not_there`, { clock });
    const away = { name: 'DatabaseError', sqlState: null, message: expect.stringContaining('3D000') };
    await expect(nowhere.query({ text: 'select 1' })).rejects.toMatchObject(away);
    await expect(nowhere.transaction(() => Promise.resolve())).rejects.toMatchObject(away);
    await expect(nowhere.begin('test')).rejects.toMatchObject(away);
    await nowhere.close();
  });

  it('keeps a connection whose statement was wrong, and tells that from one that is lost', async () => {
    const before = await pidOf(db);
    await expect(db.query({ text: 'select 1 / 0' })).rejects.toMatchObject({ sqlState: '22012' });
    expect(await pidOf(db)).toBe(before);
  });
});
