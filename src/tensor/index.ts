export * from './conv1d';
export * from './engine';
export * from './fused';
export * from './ops';
export * from './selectiveScan';
export * from './ssd';
export * from './wasm';
