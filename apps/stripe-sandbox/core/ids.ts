const letters = '0123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

function scramble(value: number): number {
  let x = value >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A random-looking text of `length` letters, the same for the same seed, counter and purpose. */
export function letterCode(seed: number, counter: number, purpose: string, length: number): string {
  let state = scramble(seed ^ Math.imul(counter, 0x9e3779b1));
  for (const character of purpose) state = scramble(state ^ character.charCodeAt(0));
  let text = '';
  for (let i = 0; i < length; i += 1) {
    state = scramble(state + 0x6d2b79f5);
    text += letters.charAt(state % letters.length);
  }
  return text;
}

/** `pi_1` + the counter + random-looking letters: unique by the counter, the same in every run from the same seed. */
export const makeId = (prefix: string, seed: number, counter: number): string =>
  `${prefix}_1${counter.toString(36).toUpperCase().padStart(6, '0')}${letterCode(seed, counter, prefix, 17)}`;
