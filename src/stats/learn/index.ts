export * from './decisionTree';
export * from './kernelSvm';
export * from './linearSvm';
export { matrix, takeRows, type Matrix, type MatrixData, type MatrixLike } from './matrix';
export * from './randomForest';
export type { MaxFeatures, TreeOptions } from './treeOptions';
