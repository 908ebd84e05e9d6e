import { metadataOf, type RecordedEvent } from '#event-store/port/event-store.js';
import type { UsageEvent } from '#ledger/usage/usage.js';
import { DAILY_LIMIT, type AskedUse } from './users.js';

/** O8: what was used is never more than the limit, each use counts once, and none was refused that there was room for. */
export function usageBooks(stored: readonly RecordedEvent[], asked: readonly AskedUse[]): string[] {
  const wrong: string[] = [];
  const keys = new Map<string, number>();
  /** What was used before each revision, and after the last. */
  const before = [0];
  for (const [revision, recorded] of stored.entries()) {
    const event = { ...(JSON.parse(recorded.data) as object), type: recorded.type } as UsageEvent;
    const used = before[revision] ?? 0;
    before.push(event.type === 'UsageRecorded' ? used + event.quantity : used);
    if (event.type !== 'UsageRecorded') continue;
    const key = metadataOf(recorded).commandKey ?? '';
    if (keys.has(key)) wrong.push(`O8 the use ${key} was counted twice`);
    keys.set(key, revision);
    const total = used + event.quantity;
    if (total > DAILY_LIMIT) wrong.push(`O8 ${String(total)} were used of ${String(DAILY_LIMIT)}`);
    if (event.limits[0]?.used !== total) wrong.push(`O8 the use ${key} says another sum than ${String(total)}`);
  }
  for (const { key, quantity, revisions, refused } of asked) {
    if (revisions.size > 1) wrong.push(`O8 the use ${key} was answered in two ways`);
    for (const revision of revisions)
      if (keys.get(key) !== revision) wrong.push(`O8 the use ${key} was acknowledged and is not in the log`);
    if (refused === null) continue;
    const most = before[Math.min(refused.to, before.length - 1)] ?? 0;
    if (most + quantity <= DAILY_LIMIT) wrong.push(`O8 the use ${key} was refused though there was room for it`);
  }
  return wrong;
}
