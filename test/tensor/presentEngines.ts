import type { Engine } from '../../src/tensor';
import { loadNative } from '../../src/tensor/native';

/**
 * The engines that can run here. Tests of operations, golden numbers and equivalences run on each of them; where
 * `native` cannot be built, the suites of test/tensor/native say so in their titles.
 */
export const engines: Engine['name'][] = [
  ...((await loadNative()) ? (['native'] as const) : []),
  'wasm',
  'cpu',
];
