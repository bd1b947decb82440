export * from './frame';
export type { CaptureInfo, CaptureInterface } from './info';
export { listCaptures } from './list';
export {
  PcapngWriter,
  provenanceComment,
  readProvenance,
  writePcapng,
  type PcapngWriteOptions,
  type Provenance,
} from './pcapngWriter';
export { pcapOptionsOf, PcapWriter, writePcap, type PcapWriteOptions } from './pcapWriter';
export { openCapture, readCapture, type Capture, type CaptureReader } from './reader';
export { FrameSlice, sliceFrames, type SliceOptions } from './slice';
export type { CaptureSource } from './source';
export {
  createCaptureWriter,
  writeCapture,
  type CaptureWriteOptions,
  type CaptureWriter,
} from './writeCapture';
