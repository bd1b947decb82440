export * from './confusionFigure';
export * from './connection';
export * from './dotPanels';
export * from './costFigures';
export * from './evaluationFigures';
export * from './explainFigure';
export * from './fieldColours';
export * from './fieldLosses';
export * from './fieldRanges';
export * from './flowFigures';
export * from './headerDiagram';
export { htmlTable, type Cell, type TableSpec } from './html';
export * from './ladder';
export * from './lectureFigures';
export * from './lines';
export * from './lossFigures';
export * from './packetView';
export {
  panelGrid,
  type MarkShape,
  type Panel,
  type PanelCurve,
  type PanelGridOptions,
  type SeriesLook,
} from './panelGrid';
export * from './paperFigures';
export * from './pipelineFigure';
export * from './report';
export * from './reportSummary';
export * from './runFigures';
export * from './segmentFigures';
export * from './similarityFigure';
export * from './stateSpaceFigures';
export * from './svgTheme';
export * from './theme';
export * from './tokenFields';
export * from './tokenStrip';
export * from './trafficFigures';
export * from './trainingChart';
