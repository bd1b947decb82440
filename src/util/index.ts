export * from './download';
export * from './errors';
export * from './files';
export * from './format';
export * from './inspectable';
export * from './problems';
export * from './progress';
export * from './rng';
