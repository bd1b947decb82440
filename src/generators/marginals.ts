import { PKT } from '../tokens';
import type { GeneratorCard } from './generator';
import { TokenGenerator, type DrawPacket } from './tokenGenerator';

/** Every byte position on its own: the value of each is drawn as often as it occurs there, whatever the others are. */
export class MarginalsGenerator extends TokenGenerator {
  readonly card: GeneratorCard = {
    name: 'byte marginals',
    paper: 'none',
    fidelity: 'same algorithm',
    emits: ['packets'],
    description: 'every byte position drawn on its own, given the label',
  };

  protected learn(packets: Uint16Array[]): DrawPacket {
    const positions: Uint16Array[] = [];
    const longest = packets.reduce((most, p) => Math.max(most, p.length), 0);
    for (let i = 0; i < longest; i++) {
      // All packets that reach this position, with the mark of those that end here.
      positions.push(Uint16Array.from(packets.filter((p) => i < p.length).map((p) => p[i])));
    }
    return (rng) => {
      const bytes: number[] = [];
      for (const values of positions) {
        const token = values[rng.int(values.length)];
        if (token === PKT) break;
        bytes.push(token);
      }
      return bytes;
    };
  }
}
