/** What JSON can hold. Stored data and caller's metadata are of this type. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** JSON text with the keys of every object in order, so that equal values have equal text. */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(canonicalJson).join(',')}]`;
  const object = value as { readonly [key: string]: Json };
  let members = '';
  for (const key of inOrder(Object.keys(object))) {
    if (members !== '') members += ',';
    members += `${JSON.stringify(key)}:${canonicalJson(object[key] ?? null)}`;
  }
  return `{${members}}`;
}

/** Sorts the list itself, by UTF-16 code units as `sort` does; the few keys of a command sooner and without a copy. */
function inOrder(keys: string[]): string[] {
  if (keys.length > 12) return keys.sort();
  for (let i = 1; i < keys.length; i += 1) {
    const key = keys[i] ?? '';
    let place = i;
    for (let before = keys[place - 1]; before !== undefined && before > key; before = keys[place - 1]) {
      keys[place] = before;
      place -= 1;
    }
    keys[place] = key;
  }
  return keys;
}
