export { htmlTable, type Cell, type TableSpec } from './html';
export * from './lossFigures';
export * from './report';
export * from './reportSummary';
export * from './similarityFigure';
export * from './theme';
export * from './trafficFigures';
