import type { AnonymisationKey, BlockFunction } from './key';

const ROUNDS = 6;

/** A keyed one-to-one mapping of numbers of `2 half` bits: a Feistel network (Luby and Rackoff, 1988) over AES. */
export class Permutation {
  private readonly encrypt: BlockFunction;
  private readonly block = new Uint8Array(16);
  private readonly mask: number;

  /** @param half at most 26 bits. */
  constructor(
    key: AnonymisationKey,
    purpose: string,
    private readonly half: number,
  ) {
    this.encrypt = key.blockFunction(purpose);
    this.mask = 2 ** half - 1;
  }

  /** @param tweak numbers with another tweak are mapped by another permutation. */
  map(value: number, tweak = 0): number {
    const size = 2 ** this.half;
    let left = Math.floor(value / size);
    let right = value % size;
    const { block } = this;
    const view = new DataView(block.buffer);
    for (let round = 0; round < ROUNDS; round++) {
      view.setUint32(0, round);
      view.setUint32(4, right);
      view.setUint32(8, tweak);
      const answer = this.encrypt(block);
      const word = ((answer[0] << 24) | (answer[1] << 16) | (answer[2] << 8) | answer[3]) >>> 0;
      [left, right] = [right, (left ^ (word & this.mask)) >>> 0];
    }
    return left * size + right;
  }
}

/** Which ports are replaced: none, those from 1024 on (among themselves), or all but 0. */
export type PortMode = 'keep' | 'ephemeral' | 'all';

/** Maps ports one to one; none stays where it was. */
export class PortMap {
  private readonly images: Uint16Array;

  constructor(
    key: AnonymisationKey,
    private readonly mode: PortMode,
  ) {
    this.images = new Uint16Array(65536);
    for (let port = 0; port < 65536; port++) this.images[port] = port;
    if (mode === 'keep') return;
    const first = mode === 'all' ? 1 : 1024;
    // Sattolo's shuffle gives one long cycle, so no port maps to itself.
    const draw = drawer(key);
    for (let i = 65535; i > first; i--) {
      const j = first + draw(i - first);
      [this.images[i], this.images[j]] = [this.images[j], this.images[i]];
    }
  }

  map(port: number): number {
    return this.images[port];
  }

  get active(): boolean {
    return this.mode !== 'keep';
  }
}

/** Uniform whole numbers below n from a key. */
function drawer(key: AnonymisationKey): (n: number) => number {
  const encrypt = key.blockFunction('ports');
  const blocks = new Uint8Array(16 * 1024);
  const counters = new DataView(blocks.buffer);
  let answers: DataView = new DataView(new ArrayBuffer(0));
  let at = 0;
  let counter = 0;
  return (n) => {
    if (at + 4 > answers.byteLength) {
      for (let i = 0; i < 1024; i++) counters.setUint32(16 * i, counter++);
      const bytes = encrypt(blocks);
      answers = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      at = 0;
    }
    const word = answers.getUint32(at);
    at += 4;
    return Math.floor((word / 2 ** 32) * n);
  };
}
