export * from './cost';
export * from './linear';
export * from './nets';
export * from './tasks';
