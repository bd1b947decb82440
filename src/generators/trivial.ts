import { BigramGenerator } from './bigram';
import { FlippedBitsGenerator } from './flippedBits';
import type { TrafficGenerator } from './generator';
import { MarginalsGenerator } from './marginals';
import { ShuffledFieldsGenerator } from './shuffledFields';

/** The trivial generators that stand in every table, not yet fitted. */
export function trivialBaselines(): TrafficGenerator[] {
  return [
    new MarginalsGenerator(),
    new BigramGenerator(),
    new ShuffledFieldsGenerator(),
    new FlippedBitsGenerator(),
  ];
}
