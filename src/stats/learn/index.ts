export * from './decisionTree';
export { matrix, takeRows, type Matrix, type MatrixData, type MatrixLike } from './matrix';
export * from './randomForest';
export type { MaxFeatures, TreeOptions } from './treeOptions';
