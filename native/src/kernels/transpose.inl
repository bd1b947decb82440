// Transposition of the two last dimensions of a batch of matrices, in register blocks of TB x TB.

namespace netssm {
namespace NETSSM_ISA {
namespace layout {

static void transpose2d(int64_t batch, int64_t rows, int64_t columns, const float* x, float* out) {
  constexpr int64_t kBand = 64;  // columns of x (rows of out) a task
  const int64_t bands = (columns + kBand - 1) / kBand;
  parallelRange(batch * bands, 1 + 16384 / (rows * kBand + 1), [&](int64_t t0, int64_t t1) {
    for (int64_t t = t0; t < t1; ++t) {
      const float* from = x + t / bands * rows * columns;
      float* to = out + t / bands * rows * columns;
      const int64_t j0 = t % bands * kBand, j1 = j0 + kBand < columns ? j0 + kBand : columns;
      int64_t i = 0;
      for (; i + TB <= rows; i += TB) {
        int64_t j = j0;
        for (; j + TB <= j1; j += TB) transposeBlock(from + i * columns + j, columns, to + j * rows + i, rows);
        for (; j < j1; ++j)
          for (int k = 0; k < TB; ++k) to[j * rows + i + k] = from[(i + k) * columns + j];
      }
      for (; i < rows; ++i)
        for (int64_t j = j0; j < j1; ++j) to[j * rows + i] = from[i * columns + j];
    }
  });
}

}  // namespace layout
}  // namespace NETSSM_ISA
}  // namespace netssm
