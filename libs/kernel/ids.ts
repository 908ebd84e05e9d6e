import { msOf, type Instant } from './instant.js';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'; // Crockford's base 32, lower case

/** Two digits at a time: every command makes an id. */
const pairs = Array.from(alphabet, (high) => Array.from(alphabet, (low) => high + low)).flat();

/** The last `length` digits of a number, an even number of them. */
function encode(value: number, length: number): string {
  let text = '';
  for (let rest = value, i = 0; i < length; i += 2, rest = Math.floor(rest / 1024))
    text = (pairs[rest % 1024] ?? '') + text;
  return text;
}

/** The prefixes of the ids that Scrip makes. */
export type IdPrefix = 'gr' | 'con' | 'hold' | 'rev' | 'adj' | 'debt' | 'rvk' | 'rein' | 'use' | 'tr';

/**
 * An id that sorts by time and carries the place of the event that made it: prefix, 10 characters of time, 8 of the
 * revision in its stream, 8 of the command's own id. So an old consumption is found by one read, without an index.
 * @param commandId the UUID of the command: its last 40 bits make ids of different accounts differ.
 */
export function makeId(prefix: IdPrefix, at: Instant, revision: number, commandId: string): string {
  // Many ids are made within one millisecond.
  if (at !== lastTime.at) lastTime = { at, text: encode(msOf(at), 10) };
  return `${prefix}_${lastTime.text}${encode(revision, 8)}${encode(parseInt(commandId.slice(-10), 16), 8)}`;
}

/** The same for what follows by itself from what has `id`, whoever records it and when: `id` gives the last 8 characters. */
export const makeIdAfter = (prefix: IdPrefix, at: Instant, revision: number, id: string): string =>
  `${prefix}_${encode(msOf(at), 10)}${encode(revision, 8)}${id.slice(-8).padStart(8, '0')}`;

let lastTime = { at: '', text: '' };

/** The revision that `makeId` put into an id; null when `id` is not of that form. */
export function revisionInId(prefix: IdPrefix, id: string): number | null {
  if (!id.startsWith(`${prefix}_`) || id.length !== prefix.length + 27) return null;
  let revision = 0;
  for (const character of id.slice(prefix.length + 11, prefix.length + 19)) {
    const digit = alphabet.indexOf(character);
    if (digit < 0) return null;
    revision = revision * 32 + digit;
  }
  return revision;
}
