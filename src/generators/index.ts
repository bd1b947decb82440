export { BigramGenerator } from './bigram';
export { FlippedBitsGenerator } from './flippedBits';
export * from './generator';
export { MarginalsGenerator } from './marginals';
export { ShuffledFieldsGenerator } from './shuffledFields';
export { TokenGenerator, type DrawPacket } from './tokenGenerator';
export { trivialBaselines } from './trivial';
