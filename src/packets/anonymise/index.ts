export { Anonymiser, type AnonymiseCounts, type AnonymiseOptions, type PayloadMode } from './anonymiser';
export { commonBits, PrefixPreserving } from './cryptoPan';
export { AnonymisationKey, type BlockFunction } from './key';
export type { MacMode } from './macs';
export type { PortMode } from './permute';
