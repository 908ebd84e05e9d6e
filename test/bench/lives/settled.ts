import { setTimeout as sleep } from 'node:timers/promises';
import { SystemClock } from '#config/system-clock.js';
import { instantOf } from '#kernel/instant.js';
import type { Plan } from '#ledger/catalog.js';
import { dueAllowances } from '../../../projections/allowances/due-allowances.js';
import { openDatabase, type Database } from '#database/database.js';

const patienceMs = 1_800_000;
/** Inbox and settler save their places only for what tells them something, or after so many events. */
const UNSAVED = 10_000;
const inbox = "scrip_app.consumer_checkpoints where consumer = 'inbox'";
const GRACE_MS = 3 * 86_400_000;

/** Waits until everything that the log holds now has been worked off, granted by the month where due, and projected. */
export async function settled(databaseUrl: string): Promise<void> {
  const clock = new SystemClock();
  const db = openDatabase(databaseUrl, { clock });
  try {
    const until = clock.now() + patienceMs;
    const received = await headOf(db);
    for (; (await placeOf(db, inbox, 'position')) < received; await sleep(50)) {
      if (clock.now() > until) throw new Error('the inbox has not come to the end of the log');
    }
    for (let quiet = 0; quiet < 2; await sleep(100)) {
      if (clock.now() > until) throw new Error('the ledger does not come to rest');
      const head = await headOf(db);
      const at = { now: instantOf(clock.now()), graceMs: GRACE_MS, credits: await freeCredits(db) };
      const due = await dueAllowances(db, at, null, 1);
      const consumed = await placeOf(db, 'scrip_app.consumer_checkpoints', 'min(position)');
      const read = await placeOf(db, "scrip_read.projection_checkpoints where role = 'live'", 'min(position)');
      quiet = due.length === 0 && read >= head && consumed + UNSAVED > head ? quiet + 1 : 0;
    }
  } finally {
    await db.close();
  }
}

/** What a month of each free plan gives, by the newest that the log says of it. */
async function freeCredits(db: Database): Promise<ReadonlyMap<string, number>> {
  const rows = await db.query<{ data: string }>({
    text: `select data from scrip_log.events where type = 'PlanPublished' order by position`,
  });
  const plans = rows.map(({ data }) => (JSON.parse(data) as { plan: Plan }).plan).filter(({ free }) => free);
  return new Map(plans.map(({ id, creditsPerMonth }) => [id, creditsPerMonth]));
}

async function headOf(db: Database): Promise<number> {
  const [row] = await db.query<{ head: string }>({
    text: 'select coalesce(max(position), 0) as head from scrip_log.events',
  });
  return Number(row?.head);
}

async function placeOf(db: Database, from: string, column: string): Promise<number> {
  const [row] = await db.query<{ place: string }>({ text: `select ${column} as place from ${from}` });
  return Number(row?.place);
}
