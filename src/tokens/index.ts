export * from './batches';
export * from './checksums';
export * from './headerLayouts';
export * from './layout';
export * from './meta';
export * from './session';
export * from './vocabulary';
