export * from './compliance';
export * from './memorisation';
export * from './semantics';
export * from './semanticsRows';
export * from './utility';
export * from './utilityFeatures';
export * from './validity';
