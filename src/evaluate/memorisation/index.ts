export { fieldChanges, type FieldChange } from './fieldChanges';
export { fiveTupleReuse, type FiveTupleReuse } from './flowReuse';
export {
  HEADER_FIELDS,
  HEADER_WIDTH,
  headerSet,
  takeRows,
  type HeaderField,
  type HeaderSet,
  type HeaderSetOptions,
} from './headerSet';
export { identicalRows, type IdenticalRows } from './identical';
export { membershipAudit, type MembershipAudit, type MembershipOptions } from './membership';
export {
  memorisation,
  summariseNearest,
  type FieldRow,
  type MemorisationOptions,
  type MemorisationReport,
  type NearestSummary,
  type PositionRow,
} from './memorisation';
export {
  nearestNeighbours,
  pairwiseDistance,
  type HammingUnit,
  type Nearest,
  type NearestOptions,
} from './nearest';
