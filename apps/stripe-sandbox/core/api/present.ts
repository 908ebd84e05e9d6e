import { prefixes, type Kind } from '../model.js';
import { downgrade, type Raw } from './versions.js';

/** The version whose shapes the sandbox keeps; every other is rendered from it. */
export const NEWEST_VERSION = '2026-10-28.endive';

const linesShown = 10;

export const isRecord = (value: unknown): value is Raw =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
export const isKind = (value: unknown): value is Kind => typeof value === 'string' && value in prefixes;

/** An invoice shows its first lines only; the others are paged through `/lines`. */
function firstPage(object: Raw): Raw {
  const lines = object['lines'];
  if (object['object'] !== 'invoice' || !isRecord(lines) || !Array.isArray(lines['data'])) return object;
  const data: readonly unknown[] = lines['data'];
  return {
    ...object,
    lines: { ...lines, data: data.slice(0, linesShown), has_more: data.length > linesShown, total_count: data.length },
  };
}

/** A value as a client of `version` sees it: older shapes where asked for, nothing of what the sandbox keeps to itself. */
export function present(value: unknown, version: string): unknown {
  if (Array.isArray(value)) return value.map((item) => present(item, version));
  if (!isRecord(value)) return value;
  const sandbox = value['sandbox'];
  if (isRecord(sandbox) && sandbox['deleted'] === true)
    return { id: value['id'], object: value['object'], deleted: true };
  const shaped = firstPage(downgrade(value, version));
  const shown: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(shaped)) {
    if (key !== 'sandbox' && member !== undefined) shown[key] = present(member, version);
  }
  return shown;
}
