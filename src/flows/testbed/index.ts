export { handshakeTimes, type HandshakeTime } from './handshakeTimes';
export { loadDataset, type LoadDatasetOptions, type TestbedDataset, type TestbedSession } from './dataset';
export {
  isTestbedSet,
  readTestbedManifest,
  TESTBED_SET,
  testbedFolder,
  testbedSetOf,
  type TestbedManifest,
  type TestbedManifestSession,
} from './manifest';
export { readPart, type FilePart } from './packedFrame';
export type { ServedObject, SessionConditions, SessionTruth, TrueFlow } from './truth';
export { unpackDataset, type UnpackedFile, type UnpackedManifest, type UnpackOptions } from './unpack';
export { classCounts, classNumbers, typicalSession, type ClassCounts } from './classNumbers';
