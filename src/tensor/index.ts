export * from './conv1d';
export * from './engine';
export * from './fused';
export * from './ops';
export * from './wasm';
