// The scan forward: a tile of states in registers, token after token.

namespace netssm {
namespace NETSSM_ISA {
namespace scan {

template <int T, bool PerState>
static void advance(const Steps& s, float* h, float* y) {
  vf state[T];
  for (int i = 0; i < T; ++i) state[i] = vload(h + i * VW);
  for (int64_t t = 0; t < s.n; ++t) {
    if (s.starts && s.starts[t] != 0.0f)
      for (int i = 0; i < T; ++i) state[i] = vzero();
    const vf d = vload(s.decay + t * VW), in = vload(s.input + t * VW);
    const float *B = s.B + t * s.bRow, *C = s.C + t * s.cRow;
    vf even = vload(y + t * VW), odd = vzero();
    constexpr int M = T < 4 ? T : 4;
#pragma GCC unroll 16
    for (int i = 0; i < T; i += M) {
      vf a[M];
#pragma GCC unroll 4
      for (int j = 0; j < M; ++j) a[j] = PerState ? vmul(d, vload(s.A + (i + j) * VW)) : d;
      if (PerState) exp2All<M>(a);
#pragma GCC unroll 4
      for (int j = 0; j < M; ++j) state[i + j] = vfma(a[j], state[i + j], vmul(in, vset1(B[i + j])));
#pragma GCC unroll 4
      for (int j = 0; j < M; ++j) {
        vf& sum = j & 1 ? odd : even;
        sum = vfma(state[i + j], vset1(C[i + j]), sum);
      }
    }
    vstore(y + t * VW, vadd(even, odd));
  }
  for (int i = 0; i < T; ++i) vstore(h + i * VW, state[i]);
}

template <bool PerState>
static void forwardTask(const Task& task, const ScanForward& out) {
  const Scan& s = task.s;
  const int64_t N = s.states, L = s.length, E = s.channels, Q = s.chunk, chunks = (L + Q - 1) / Q;
  // Per block: the state and, in Mamba-1, A; then the vectors of a chunk, for so few blocks that the cache holds them.
  constexpr int64_t kTogether = 4;
  const int64_t K = task.blocks, V = Q * VW;
  float* memory = scratch(0, static_cast<size_t>(K * 2 * N * VW + kTogether * 4 * V));
  float *states = memory, *rates = states + K * N * VW;
  Vectors v{};
  v.step = rates + K * N * VW, v.input = v.step + kTogether * V, v.y = v.input + kTogether * V;
  if (!PerState) v.decay = v.y + kTogether * V;
  for (int64_t i = 0; i < K; ++i) {
    gather(s.h ? s.h + task.b * E * N : nullptr, task.block(i), N, 1.0f, states + i * N * VW);
    if (PerState) gather(s.A, task.block(i), N, kLog2e, rates + i * N * VW);
  }
  for (int64_t c = 0; c < chunks; ++c) {
    const int64_t t0 = c * Q, n = L - t0 < Q ? L - t0 : Q, row = task.b * L + t0;
    if (out.saved)
      for (int64_t j = 0; j < N; ++j)
        for (int64_t i = 0; i < K; ++i) {
          const Block& k = task.block(i);
          store(out.saved + ((task.b * chunks + c) * N + j) * E + k.first, vload(states + (i * N + j) * VW), k.lanes);
        }
    Steps steps{n, nullptr, nullptr, nullptr, nullptr, s.bRow, s.cRow, s.starts ? s.starts + row : nullptr, nullptr};
    for (int64_t i0 = 0; i0 < K; i0 += kTogether) {
      const int64_t i1 = i0 + kTogether < K ? i0 + kTogether : K;
      const Block& last = task.block(i1 - 1);
      const int64_t first = task.block(i0).first, end = last.first + last.lanes, share = (Q + i1 - i0 - 1) / (i1 - i0);
      for (int64_t i = i0; i < i1; ++i) {
        const int64_t soon = t0 + Q + (i - i0) * share;
        prefetchRows(s, nullptr, task.b, soon, soon + share, first, end);
        prepare(task, task.block(i), i - i0, row, n, v);
        steps.decay = (PerState ? v.step : v.decay) + (i - i0) * V;
        steps.input = v.input + (i - i0) * V;
        tiles<kForward>(N, [&](auto size, int64_t from) {
          steps.B = s.B + row * s.bRow + task.group * N + from;
          steps.C = s.C + row * s.cRow + task.group * N + from;
          steps.A = rates + (i * N + from) * VW;
          advance<decltype(size)::value, PerState>(steps, states + (i * N + from) * VW, v.y + (i - i0) * V);
        });
      }
      for (int64_t t = 0; t < n; ++t)
        for (int64_t i = i0; i < i1; ++i) {
          const Block& k = task.block(i);
          vf y = vload(v.y + (i - i0) * V + t * VW);
          if (s.z) {
            const vf z = load(s.z + (row + t) * E + k.first, k.lanes);
            y = vmul(y, vmul(z, sigmoidOf(z)));
          }
          store(out.y + (row + t) * E + k.first, y, k.lanes);
        }
    }
  }
  for (int64_t i = 0; i < K; ++i) scatter(states + i * N * VW, task.block(i), N, out.h + task.b * E * N);
}

static void forward(const Scan& s, const ScanForward& out) {
  const Cut cut(s);
  parallelTasks(cut.tasks(s), [&](int64_t i) {
    const Task task(s, cut, i);
    if (s.headWidth) forwardTask<false>(task, out);
    else forwardTask<true>(task, out);
  });
}

}  // namespace scan
}  // namespace NETSSM_ISA
}  // namespace netssm
