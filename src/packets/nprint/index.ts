export * from './columns';
export * from './files';
export * from './locate';
export * from './reader';
export * from './row';
