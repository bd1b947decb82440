export { fiveTuple, type Endpoint, type FiveTuple } from './fiveTuple';
export { FlowTable, splitFlows, type Flow, type FlowTableOptions, type FlowTcp } from './flowTable';
export { flowFrames, toSession, type Session } from './session';
export { notBefore, TcpTracker, type TcpClose, type TcpPhase, type TcpSegment } from './tcpState';
