export { FORBIDDEN_HEADS } from './flowHeader';
export { RelativeDecoder } from './decode';
export type { RelativeDecoderOptions } from './decode';
export { RelativeEncoder } from './encode';
export type { RelativeEncoderOptions } from './encode';
