import { PKT } from '../tokens';
import type { GeneratorCard } from './generator';
import { PACKET_START, TokenGenerator, type DrawPacket } from './tokenGenerator';

/** A chain of bytes: each drawn as often as it follows the one before it. */
export class BigramGenerator extends TokenGenerator {
  readonly card: GeneratorCard = {
    name: 'byte bigram',
    paper: 'none',
    fidelity: 'same algorithm',
    emits: ['packets'],
    description: 'every byte drawn from the byte before it, given the label',
  };
  /** Bytes after which a packet that has not ended is given up. */
  private readonly longest = 400;

  protected learn(packets: Uint16Array[]): DrawPacket {
    const followers = new Map<number, number[]>();
    for (const packet of packets) {
      let previous = PACKET_START;
      for (const token of packet) {
        const list = followers.get(previous);
        if (list) list.push(token);
        else followers.set(previous, [token]);
        previous = token;
      }
    }
    return (rng) => {
      const bytes: number[] = [];
      let previous = PACKET_START;
      while (bytes.length < this.longest) {
        const choices = followers.get(previous) as number[];
        previous = choices[rng.int(choices.length)];
        if (previous === PKT) break;
        bytes.push(previous);
      }
      return bytes;
    };
  }
}
