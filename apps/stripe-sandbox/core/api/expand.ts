import { invalid } from './errors.js';
import { formerFields, newerFields } from './former-fields.js';
import { kinds, prefixes, type Kind } from '../model.js';
import { isRecord } from './present.js';
import type { Tx } from '../tx.js';

/** Fields that are not in an object unless they are asked for, and where they come from. */
export type Included = Readonly<Record<string, (tx: Tx, id: string) => unknown>>;

/** The kind whose ids begin like this one. Longer prefixes win: `sub_sched_` before `sub_`. */
export function kindOfId(id: string): Kind | null {
  const fitting = kinds.filter((kind) => id.startsWith(`${prefixes[kind]}_`));
  return fitting.sort((a, b) => prefixes[b].length - prefixes[a].length)[0] ?? null;
}

function lookUp(tx: Tx, id: string): unknown {
  const kind = kindOfId(id);
  return (kind === null ? null : tx.get(kind, id)) ?? tx.get('coupon', id); // a coupon's id is whoever makes it's to choose
}

function expandPath(tx: Tx, value: unknown, path: readonly string[], whole: string, included: Included): unknown {
  const [field, ...rest] = path;
  if (field === undefined) return value;
  if (Array.isArray(value)) return value.map((item) => expandPath(tx, item, path, whole, included));
  if (!isRecord(value)) return value;
  const name = `${String(value['object'])}.${field}`;
  const include = included[name];
  const former = formerFields[name];
  const isFormer = former !== undefined && tx.isBefore(former.until);
  const isTooNew = tx.isBefore(newerFields[name] ?? '');
  const present = value[field];
  if (isTooNew || (include === undefined && !isFormer && !(field in value))) {
    throw invalid(`This property cannot be expanded (${whole}).`, 'expand[0]');
  }
  const found =
    present !== undefined || (include === undefined && !isFormer)
      ? present
      : isFormer
        ? former.read(tx, value)
        : include?.(tx, String(value['id']));
  const open = (one: unknown): unknown => (typeof one === 'string' ? (lookUp(tx, one) ?? one) : one);
  const opened = Array.isArray(found) ? found.map(open) : open(found);
  return { ...value, [field]: expandPath(tx, opened, rest, whole, included) };
}

/** The value with the references of `paths` (`latest_invoice.payments`, `data.customer`) replaced by their objects. */
export function expand(tx: Tx, value: unknown, paths: readonly string[], included: Included): unknown {
  return paths.reduce((result, path) => {
    const parts = path.split('.');
    if (parts.length > 5) throw invalid('You cannot expand more than 4 levels of a property.', 'expand[0]');
    return expandPath(tx, result, parts, path, included);
  }, value);
}
