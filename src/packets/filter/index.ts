export { parseFilter, type FilterableFrame, type FrameFilter } from './filter';
