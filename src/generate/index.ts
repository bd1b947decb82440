export * from './collector';
export * from './decode';
export * from './explain';
export * from './explainCapture';
export { markMeaning, relativeMeaning, wiresharkName, type RelativePlace } from './explainMeaning';
export * from './explainSteps';
export {
  LAW_BITS,
  TIME_FIELD,
  type ExplainablePacket,
  type NamedField,
  type NamedPacket,
  type NamedPlace,
  type NameFields,
  type PacketKind,
  type Prediction,
  type TokenGuess,
  type TokenSums,
  type Verdict,
} from './explainTokens';
export * from './generate';
export * from './maskTimes';
export * from './model';
export * from './nativeStepper';
export * from './packetRun';
export * from './phaseModels';
export * from './phaseStepper';
export * from './processors';
export * from './prompt';
export * from './promptState';
export * from './repair';
export * from './rewrite';
export * from './sampling';
export * from './spec';
export * from './stepper';
export * from './tcpNumbers';
export * from './trace';
export * from './write';
