import { createCipheriv, createHmac, randomBytes, scryptSync } from 'node:crypto';
import { NetssmError } from '../../util';

/** The least that is accepted as a secret. */
const MIN_SECRET_BYTES = 8;

/** A keyed function of 16-byte blocks: AES-128 without chaining. Several blocks at once cost little more than one. */
export type BlockFunction = (blocks: Uint8Array) => Uint8Array;

/**
 * The secret of an anonymisation, and the independent keys derived from it. Same secret, same mapping; without it the
 * mapping cannot be repeated. Never written anywhere.
 */
export class AnonymisationKey {
  private readonly master: Buffer;

  /**
   * @param secret a passphrase, or the content of a key file (white space around it does not count); without one a
   *   random key that ends with the process. scrypt (RFC 7914) makes guessing passphrases costly.
   * @throws NetssmError `anonymise_key_short`.
   */
  constructor(secret?: string | Uint8Array) {
    if (secret === undefined) {
      this.master = randomBytes(32);
      return;
    }
    const bytes = trimmed(typeof secret === 'string' ? Buffer.from(secret) : secret);
    if (bytes.length < MIN_SECRET_BYTES) {
      throw new NetssmError(
        'anonymise_key_short',
        `the key has ${bytes.length} bytes; at least ${MIN_SECRET_BYTES} are needed`,
        { exitCode: 2, hint: 'Make one: head -c 32 /dev/urandom | base64 > anonymise.key' },
      );
    }
    this.master = scryptSync(bytes, 'netssm anonymisation', 32, { N: 16384, r: 8, p: 1 });
  }

  /** 32 bytes for one purpose, which tell nothing about those for another. */
  derive(purpose: string): Buffer {
    return createHmac('sha256', this.master).update(purpose).digest();
  }

  /** AES under a key of its own. */
  blockFunction(purpose: string): BlockFunction {
    const cipher = createCipheriv('aes-128-ecb', this.derive(purpose).subarray(0, 16), null);
    cipher.setAutoPadding(false);
    return (blocks) => cipher.update(blocks);
  }

  /** Eight characters by which two uses of one key can be told from uses of two. */
  get fingerprint(): string {
    return this.derive('fingerprint').toString('hex', 0, 4);
  }
}

/** Without the white space at its ends: editors add some. */
function trimmed(bytes: Uint8Array): Uint8Array {
  const isSpace = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13);
  let [from, to] = [0, bytes.length];
  while (from < to && isSpace(bytes[from])) from++;
  while (to > from && isSpace(bytes[to - 1])) to--;
  return bytes.subarray(from, to);
}
