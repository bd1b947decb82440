export * from './batches';
export * from './layout';
export * from './meta';
export * from './vocabulary';
