export * from './compliance';
export * from './memorisation';
export * from './semantics';
export * from './utility';
export * from './utilityFeatures';
