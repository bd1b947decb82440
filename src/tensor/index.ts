export * from './engine';
export * from './ops';
export * from './wasm';
