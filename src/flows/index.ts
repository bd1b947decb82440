export { fiveTuple, flowKey, type Endpoint, type FiveTuple } from './fiveTuple';
export { FlowIndex, type FlowLimits, type OnFlowClosed } from './flowIndex';
export { addressText, flowRecord, type FlowRecord } from './flowRecord';
export { FlowTable, splitFlows, type Flow, type FlowTableOptions, type FlowTcp } from './flowTable';
export { DEFAULT_MAX_FLOWS, scanCapture, type CaptureScan, type ScanOptions } from './scan';
export { selectFrames, type SelectOptions } from './select';
export { flowFrames, toSession, type Session } from './session';
export { SlotTable } from './slotTable';
export { notBefore, TcpTracker, type TcpClose, type TcpPhase, type TcpSegment } from './tcpState';
export {
  describeImport,
  importCaptures,
  type ImportedFile,
  type ImportFailure,
  type ImportInput,
  type ImportManifest,
  type ImportOptions,
  type ImportResult,
} from './importCaptures';
export {
  emptyInspection,
  inspectCapture,
  type InspectedCapture,
  type InspectOptions,
  type ProblemExample,
} from './inspect';
export { inspectCaptures, type InspectManyOptions } from './inspectMany';
export { listPackets, packetLine, timeOfDay, type ListedPacket } from './listPackets';
export { FLOW_COLUMNS, PACKET_COLUMNS, type Columns, type ColumnSpec, type ColumnType } from './columns';
export { exportTable, type ExportFormat, type ExportOptions } from './exportTable';
export { flowColumns, flowTable, packetColumns, packetTable, type TableOptions } from './tables';
export * from './testbed';
export {
  fetchByHand,
  findPublicSet,
  publicFileName,
  readPublicSets,
  type PublicFile,
  type PublicSet,
} from './publicSets';
export { medianNumbers, sessionNumbers, type SessionNumbers } from './sessionNumbers';
