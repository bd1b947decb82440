import { createHmac } from 'node:crypto';
import type { AnonymisationKey } from './key';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';
/** Labels that name a mechanism, not somebody: reverse zones, local names; and all service labels (`_http`). */
const KEPT = new Set(['arpa', 'in-addr', 'ip6', 'local']);
const CACHE_ENTRIES = 1 << 16;

/**
 * Replaces the labels of domain names by letters of a keyed hash, length by length: the same label becomes the same
 * letters in every name, message sizes and compression pointers stay valid. Upper and lower case are one label
 * (RFC 1035, section 2.3.3).
 */
export class LabelMap {
  private readonly key: Buffer;
  private readonly cache = new Map<string, Uint8Array>();

  constructor(key: AnonymisationKey) {
    this.key = key.derive('names');
  }

  /** The image of a label of at most 63 bytes, as long as the label. */
  map(label: Uint8Array): Uint8Array {
    const text = Buffer.from(label).toString('latin1').toLowerCase();
    let image = this.cache.get(text);
    if (!image) {
      image = text.startsWith('_') || KEPT.has(text) ? new Uint8Array(label) : this.hash(text);
      if (this.cache.size >= CACHE_ENTRIES) this.cache.clear();
      this.cache.set(text, image);
    }
    return image;
  }

  private hash(text: string): Uint8Array {
    const digest = createHmac('sha512', this.key).update(text, 'latin1').digest();
    const letters = [...text].map((_, i) => LETTERS[digest[i] % (i === 0 ? 26 : LETTERS.length)]);
    // A short label may hash to itself.
    if (letters.join('') === text) letters[0] = LETTERS[(LETTERS.indexOf(letters[0]) + 1) % 26];
    return Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  }
}
