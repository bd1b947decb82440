export * from './config';
export * from './lm';
export * from './mamba2';
export * from './params';
