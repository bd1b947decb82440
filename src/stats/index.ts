export * from './counts';
export * from './describe';
export * from './divergence';
