// Sums of the rows that share a segment number: the gradient of reading rows of a table.

namespace netssm {
namespace NETSSM_ISA {
namespace reduction {

// The rows of each segment are found first (by counting, so they stay in order); segments are then summed one after the
// other and written once. Tasks are runs of segments with about equally many rows; of few rich segments, of columns too.
static void segmentSum(int64_t rows, int64_t inner, int64_t segments, const int32_t* ids, const float* x, float* out) {
  if (segments <= 0 || inner <= 0) return;
  Memory memory(rows + segments + 1);
  int32_t* const order = reinterpret_cast<int32_t*>(memory.data);
  int32_t* const start = order + rows;  // of each segment's rows in `order`
  for (int64_t s = 0; s <= segments; ++s) start[s] = 0;
  const auto inside = [&](int64_t r) { return ids[r] >= 0 && ids[r] < segments; };
  int32_t most = 0;
  for (int64_t r = 0; r < rows; ++r)
    if (inside(r)) ++start[ids[r]];
  int32_t sum = 0;
  for (int64_t s = 0; s <= segments; ++s) {
    const int32_t count = start[s];
    most = count > most ? count : most;
    start[s] = sum += count;
  }
  for (int64_t r = rows - 1; r >= 0; --r)
    if (inside(r)) order[--start[ids[r]]] = static_cast<int32_t>(r);
  const int64_t perTask = 1 + 16384 / inner;
  const int64_t strips = most * inner > 32768 && inner >= 64 ? 4 : 1;
  // Segment s lies at start[s] + s on a line of all rows and segments, which is cut in equal pieces.
  const int64_t pieces = (start[segments] + segments + perTask - 1) / perTask;
  const auto firstOf = [&](int64_t piece) {
    int64_t low = 0, high = segments;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (start[middle] + middle < piece * perTask) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  parallelTasks(pieces * strips, [&](int64_t task) {
    const int64_t s0 = firstOf(task / strips), s1 = firstOf(task / strips + 1);
    const int64_t j0 = inner * (task % strips) / strips, j1 = inner * (task % strips + 1) / strips;
    for (int64_t s = s0; s < s1; ++s) {
      float* to = out + s * inner;
      int32_t i = start[s];
      const int32_t end = start[s + 1];
      if (i == end) {
        for (int64_t j = j0; j < j1; ++j) to[j] = 0.0f;
        continue;
      }
      const float* first = x + static_cast<int64_t>(order[i++]) * inner;
      if (i == end) {
        for (int64_t j = j0; j < j1; ++j) to[j] = first[j];
        continue;
      }
      const float* second = x + static_cast<int64_t>(order[i++]) * inner;
      for (int64_t j = j0; j < j1; ++j) to[j] = first[j] + second[j];
      for (; i + 2 <= end; i += 2) {
        const float* p = x + static_cast<int64_t>(order[i]) * inner;
        const float* q = x + static_cast<int64_t>(order[i + 1]) * inner;
        for (int64_t j = j0; j < j1; ++j) to[j] = (to[j] + p[j]) + q[j];
      }
      for (; i < end; ++i) {
        const float* p = x + static_cast<int64_t>(order[i]) * inner;
        for (int64_t j = j0; j < j1; ++j) to[j] += p[j];
      }
    }
  });
}

}  // namespace reduction
}  // namespace NETSSM_ISA
}  // namespace netssm
