export * from './evaluateTask';
export * from './exercises';
export * from './recall';
export * from './task';
export * from './trainTask';
