/** The models of docs/performance.md: S, M, and L of the paper's size. Expand 2 and d_conv 4 throughout. */
export const sizes = {
  S: { d_model: 128, n_layer: 4 },
  M: { d_model: 256, n_layer: 8 },
  L: { d_model: 768, n_layer: 24 },
};

/** Products of a training step and of generation, [name, transA, transB, m, n, k, batch]. S, M, L: docs/performance.md. */
export const products = [
  ['1024^3', 0, 0, 1024, 1024, 1024, 1],
  ['256^3', 0, 0, 256, 256, 256, 1],
  ['64^3 x 64', 0, 0, 64, 64, 64, 64],
  ['S in_proj', 0, 1, 1024, 384, 128, 1],
  ['S in_proj, input gradient', 0, 0, 1024, 128, 384, 1],
  ['S in_proj, weight gradient', 1, 0, 384, 128, 1024, 1],
  ['S out_proj', 0, 1, 1024, 128, 256, 1],
  ['M in_proj', 0, 0, 2048, 1024, 256, 1],
  ['M in_proj, weight gradient', 1, 0, 256, 1024, 2048, 1],
  ['L in_proj', 0, 0, 512, 3072, 768, 1],
  ['L in_proj, weight gradient', 1, 0, 768, 3072, 512, 1],
  ['x_proj', 0, 0, 2048, 48, 512, 1],
  ['dt_proj', 0, 0, 2048, 512, 16, 1],
  ['one row 256', 0, 0, 1, 1024, 256, 1],
  ['one row 768', 0, 0, 1, 3072, 768, 1],
  ['16 rows 768', 0, 0, 16, 3072, 768, 1],
];
