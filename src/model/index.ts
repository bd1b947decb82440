export * from './config';
export * from './files';
export * from './gradients';
export * from './lm';
export * from './loss';
export * from './mamba2';
export * from './params';
export * from './safetensors';
