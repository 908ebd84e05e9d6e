/** Places in the cache; a power of two. */
const PLACES = 32_768;

/**
 * Gives texts that come again and again as the same string each time, without making it anew: names of streams and types.
 * Equal strings that are one string are compared and looked up at once. Forgets one text for another that has its place.
 */
export class TextCache {
  readonly #texts: string[] = Array.from({ length: PLACES }, () => '');

  /** The text of these bytes, which are UTF-8. */
  text(bytes: Buffer, start: number, end: number): string {
    let hash = 0;
    for (let place = start; place < end; place += 1) hash = Math.imul(hash, 31) + (bytes[place] ?? 0);
    const place = (hash ^ (hash >>> 16)) & (PLACES - 1);
    const known = this.#texts[place] ?? '';
    if (isText(known, bytes, start, end)) return known;
    const text = bytes.toString('utf8', start, end);
    this.#texts[place] = text;
    return text;
  }
}

/** Only ASCII has as many bytes as characters. */
function isText(text: string, bytes: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let place = start; place < end; place += 1) {
    const byte = bytes[place] ?? 0;
    if (byte > 0x7f || text.charCodeAt(place - start) !== byte) return false;
  }
  return true;
}
