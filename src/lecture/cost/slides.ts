import { NetssmError } from '../../util';
import type { CostRow } from './measure';

/** How much more ten times the length costs. */
export interface Tenfold {
  from: number;
  to: number;
  /** Factor of the time, by the fastest repetitions; and by the medians. */
  time: number;
  median: number;
  /** Factor of the memory. */
  memory: number;
}

/**
 * "10x longer = 100x / 10x more compute" (slide 6), measured: the cost at ten times a length over that at the length.
 * @throws NetssmError `cost_lengths` unless both were measured.
 */
export function tenfold(rows: readonly CostRow[], from: number): Tenfold {
  const [short, long] = [from, 10 * from].map((length) => rows.find((row) => row.length === length));
  if (!short || !long) {
    throw new NetssmError(
      'cost_lengths',
      `lengths ${from} and ${10 * from} are not both among the measured ones`,
      {
        hint: `Measured: ${rows.map((row) => row.length).join(', ')}.`,
        exitCode: 2,
      },
    );
  }
  return {
    from,
    to: 10 * from,
    time: long.fastest / short.fastest,
    median: long.seconds / short.seconds,
    memory: long.bytes / short.bytes,
  };
}

/** What a slide says, what was measured here, and why they differ. */
export interface SlideClaim {
  slide: number;
  claim: string;
  /** The slide's number. */
  slides: string;
  measured: string;
  /** A sentence: why the numbers differ, or what has to hold for them to agree. */
  why: string;
}

/** Measurements that {@link costClaims} puts beside the slides. */
export interface CostMeasurements {
  /** Exponents of the attention part and of Mamba's whole forward pass. */
  attention: { exponent: number; low: number; high: number };
  mamba: { exponent: number; low: number; high: number };
  tenfoldAttention: Tenfold;
  tenfoldTransformer: Tenfold;
  tenfoldMamba: Tenfold;
  /** The longest sequence that Mamba read in one piece, and its seconds. */
  longest: { tokens: number; seconds: number; bytes: number };
  /** Bytes that one layer's scores of that length take in the transformer, a head. */
  scoresBytes: number;
  /** Generation at the last measured position: the transformer's seconds a token over Mamba's, and what they remember. */
  generation: { position: number; speedup: number; cacheBytes: number; stateBytes: number };
  /** Training lengths that fit the same memory. */
  context: { bytes: number; mamba: number; transformer: number };
  /** Tokens a packet of the layout used here, and of the paper's. */
  tokensPerPacket: { here: number; paper: number };
}

/** Slides 6, 9 and 23 beside what was measured, a row a claim. */
export function costClaims(m: CostMeasurements): SlideClaim[] {
  const power = ({ exponent, low, high }: CostMeasurements['mamba']) =>
    `L^${exponent.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
  const times = (t: Tenfold) => `${t.time.toFixed(t.time < 20 ? 1 : 0)} x (${t.from} to ${t.to} tokens)`;
  const whole = (n: number) => Math.round(n).toLocaleString('en');
  const packets = 100_000 / m.tokensPerPacket.here;
  return [
    {
      slide: 6,
      claim: 'attention is O(L²)',
      slides: 'L^2',
      measured: power(m.attention),
      why: 'The slide counts operations; scores, softmax and weighted sum alone follow it once they no longer fit the caches of a core.',
    },
    {
      slide: 6,
      claim: '10 x longer = 100 x more compute (transformer)',
      slides: '100 x',
      measured: `attention part ${times(m.tenfoldAttention)}; whole model ${times(m.tenfoldTransformer)}`,
      why: 'Projections and MLP are linear in L: the whole transformer comes to 100 x only where attention is nearly all of its time.',
    },
    {
      slide: 6,
      claim: 'state-space models are O(L): 10 x longer = 10 x more compute',
      slides: 'L^1, 10 x',
      measured: `${power(m.mamba)}; ${times(m.tenfoldMamba)}`,
      why: 'Every token costs the same; what is left of a difference are fixed costs of a call at short lengths and caches at long ones.',
    },
    {
      slide: 6,
      claim: 'can handle 100K+ tokens',
      slides: '100,000',
      measured: `${whole(m.longest.tokens)} tokens in ${m.longest.seconds.toFixed(1)} s and ${whole(m.longest.bytes / 1e6)} MB`,
      why: `Reading is linear in time and memory; one head of one attention layer would need ${whole(m.scoresBytes / 1e9)} GB for its scores alone at that length.`,
    },
    {
      slide: 9,
      claim: '5 x faster, less memory',
      slides: '5 x',
      measured: `${m.generation.speedup.toFixed(1)} x a token behind ${whole(m.generation.position)} tokens; state ${whole(m.generation.stateBytes / 1e3)} kB, cache ${whole(m.generation.cacheBytes / 1e3)} kB`,
      why: 'The 5 x is throughput of a 1.4 billion parameter Mamba on an A100, where no cache means larger batches. There is no such constant: the factor grows with the position.',
    },
    {
      slide: 23,
      claim: 'context of 100,000 tokens, 8 x longer than before',
      slides: '8 x',
      measured: `${(m.context.mamba / m.context.transformer).toFixed(0)} x: ${whole(m.context.mamba)} tokens instead of ${whole(m.context.transformer)} in ${whole(m.context.bytes / 1e6)} MB`,
      why: 'The slide compares published systems, each with its own tokens and hardware; here both train in the same memory on the same tokens, one row at a time.',
    },
    {
      slide: 23,
      claim: '100,000 tokens are 943 packets',
      slides: '943',
      measured: `${whole(packets)} packets of ${m.tokensPerPacket.here.toFixed(1)} tokens`,
      why: `The paper writes ${m.tokensPerPacket.paper} tokens for every packet; compact-rel writes what the packets before do not tell.`,
    },
  ];
}
