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
  // Per block: the state and, in Mamba-1, A; then the vectors of a chunk.
  const int64_t K = task.blocks, V = Q * VW;
  float* memory = scratch(0, static_cast<size_t>(K * (2 * N * VW + 4 * V)));
  float *states = memory, *rates = states + K * N * VW, *step = rates + K * N * VW;
  float *decay = step + K * V, *input = decay + K * V, *y = input + K * V;
  for (int64_t i = 0; i < K; ++i) {
    gather(s.h ? s.h + task.b * E * N : nullptr, task.block(i), N, 1.0f, states + i * N * VW);
    if (PerState) gather(s.A, task.block(i), N, kLog2e, rates + i * N * VW);
  }
  for (int64_t c = 0; c < chunks; ++c) {
    const int64_t t0 = c * Q, n = L - t0 < Q ? L - t0 : Q, row = task.b * L + t0;
    prefetchChunk(task, nullptr, t0 + Q, Q);
    prepare(task, row, n, step, decay, input, y);
    if (out.saved)
      for (int64_t j = 0; j < N; ++j)
        for (int64_t i = 0; i < K; ++i) {
          const Block& k = task.block(i);
          store(out.saved + ((task.b * chunks + c) * N + j) * E + k.first, vload(states + (i * N + j) * VW), k.lanes);
        }
    Steps steps{n, nullptr, nullptr, nullptr, nullptr, s.bRow, s.cRow, s.starts ? s.starts + row : nullptr, nullptr};
    for (int64_t i = 0; i < K; ++i) {
      steps.decay = (PerState ? step : decay) + i * V;
      steps.input = input + i * V;
      tiles<kForward>(N, [&](auto size, int64_t from) {
        steps.B = s.B + row * s.bRow + task.group * N + from;
        steps.C = s.C + row * s.cRow + task.group * N + from;
        steps.A = rates + (i * N + from) * VW;
        advance<decltype(size)::value, PerState>(steps, states + (i * N + from) * VW, y + i * V);
      });
    }
    for (int64_t t = 0; t < n; ++t)
      for (int64_t i = 0; i < K; ++i) {
        const Block& k = task.block(i);
        vf v = vload(y + i * V + t * VW);
        if (s.z) {
          const vf z = load(s.z + (row + t) * E + k.first, k.lanes);
          v = vmul(v, vmul(z, vsigmoid(z)));
        }
        store(out.y + (row + t) * E + k.first, v, k.lanes);
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
