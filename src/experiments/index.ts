export * from './data';
export * from './environment';
export * from './experiment';
export { InProcessEngine } from './inProcessEngine';
export { runContext, runJob, type JobHooks } from './job';
export type { JobEngine, JobState, JobStatus, JobTicket } from './jobEngine';
export * from './paper';
export * from './paperCurves';
export { jobProgram, ProcessEngine, type ProcessEngineOptions } from './processEngine';
export { QueueEngine, type RunningJob } from './baseEngine';
export * from './registry';
export * from './runExperiment';
export * from './runFolder';
export * from './settings';
export * from './compareRuns';
export * from './listRuns';
export * from './tables';
export * from './paperResults';
export * from './reproduction';
export * from './compactJson';
export * from './generated';
export * from './measure';
export * from './population';
export * from './timing';
export * from './realTraces';
export { LOSS_TOKENS, packetLosses, traceLoss, type PacketLosses } from './traceLoss';
export * from './traceLosses';
export * from './training';
export { ablationExperiment, layoutsExperiment, type VariantResult, type VariantSettings } from './variants';
export type { JudgedVariant } from './tablesVariants';
export { fidelityExperiment, type FidelityResult, type FidelitySettings } from './fidelity';
export { floorsExperiment } from './floors';
export { lengthExperiment, type LengthResult, type LengthSettings, type LengthSlice } from './length';
export { mixingRateExperiment, type MixingJobResult, type MixingSettings } from './mixingRate';
export { makeRival, readRival, rivalSide, RIVALS, type RivalCaptures, type RivalRequest } from './rivals';
export * from './mixingStudy';
export { FEATURE_TITLES, meanScore, mixingFigures, mixingTables } from './tablesMixing';
export {
  timesExperiment,
  type BurstRow,
  type GapRow,
  type TimesJudged,
  type TimesSettings,
} from './timeTokens';
export * from './gaps';
export * from './mixingItems';
export * from './mixingJob';
export type { FigurePair, PairFigures, PairSide } from './figures';
