export * from './evaluateTask';
export * from './exercises';
export * from './practice';
export * from './recall';
export * from './task';
export { trainCopying, trainingProgram, type TrainCopyingOptions } from './trainCopying';
export * from './trainTask';
