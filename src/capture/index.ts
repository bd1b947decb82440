export * from './frame';
export type { CaptureInfo } from './info';
export { listCaptures } from './list';
export { PcapngWriter, writePcapng, type PcapngWriteOptions } from './pcapngWriter';
export { pcapOptionsOf, PcapWriter, writePcap, type PcapWriteOptions } from './pcapWriter';
export { openCapture, readCapture, type Capture, type CaptureReader } from './reader';
export { FrameSlice, sliceFrames, type SliceOptions } from './slice';
