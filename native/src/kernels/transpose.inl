// Transposition of the two last dimensions of a batch of matrices, in register blocks of TB x TB.

namespace netssm {
namespace NETSSM_ISA {
namespace layout {

// A block goes through a buffer in the second-level cache: matrix rows are then read, and written, in long runs, which
// the processor's prefetcher follows. Rows of the buffer lie on different cache sets.
constexpr int64_t kRows = 512, kColumns = 256;

// out[j, i] = x[i, j] for i < h <= kRows, j < w <= kColumns.
static void block(const float* x, int64_t columns, int64_t h, int64_t w, float* out, int64_t rows, float* buffer) {
  const int64_t stride = (h + 15) / 16 * 16 + 16;
  int64_t i = 0;
  for (; i + 2 * TB <= h; i += 2 * TB) {
    int64_t j = 0;
    for (; j + TB <= w; j += TB)
      for (int64_t half = 0; half < 2 * TB; half += TB)
        transposeBlock(x + (i + half) * columns + j, columns, buffer + j * stride + i + half, stride);
    for (; j < w; ++j)
      for (int k = 0; k < 2 * TB; ++k) buffer[j * stride + i + k] = x[(i + k) * columns + j];
  }
  for (; i < h; ++i)
    for (int64_t j = 0; j < w; ++j) buffer[j * stride + i] = x[i * columns + j];
  for (int64_t j = 0; j < w; ++j) {
    if (j + 4 < w)
      for (int64_t k = 0; k < h; k += 16) __builtin_prefetch(out + (j + 4) * rows + k, 1, 2);
    gemm::copyRow(buffer + j * stride, out + j * rows, h);
  }
}

static void transpose2d(int64_t batch, int64_t rows, int64_t columns, const float* x, float* out) {
  const int64_t across = (columns + kColumns - 1) / kColumns, down = (rows + kRows - 1) / kRows;
  const int64_t size = rows * columns / (across * down);  // of a block, on average
  parallelRange(batch * across * down, 1 + 16384 / (size + 1), [&](int64_t t0, int64_t t1) {
    const int64_t most = rows < kRows ? rows : kRows;
    float* buffer = scratch(2, static_cast<size_t>((most + 32) * (columns < kColumns ? columns : kColumns)));
    for (int64_t t = t0; t < t1; ++t) {
      const int64_t b = t / (across * down), i0 = t % down * kRows, j0 = t / down % across * kColumns;
      const int64_t h = rows - i0 < kRows ? rows - i0 : kRows, w = columns - j0 < kColumns ? columns - j0 : kColumns;
      block(x + (b * rows + i0) * columns + j0, columns, h, w, out + (b * columns + j0) * rows + i0, rows, buffer);
    }
  });
}

}  // namespace layout
}  // namespace NETSSM_ISA
}  // namespace netssm
