// The gradients of a scan, from the last chunk to the first.

namespace netssm {
namespace NETSSM_ISA {
namespace scan {

// What the gradient of a tile reads and adds to, beside Steps; [n][VW] unless said otherwise.
struct Gradient {
  const float* dy;
  float *sumB, *sumA;  // over the states: g B, and g times what came from before (times A log2(e) in Mamba-1)
  bool firstTile;      // which sets the sums over states
  float* y;            // or null: += h C
  float *accB, *accC;  // [n][tile][VW], sums over the channels of a run
  bool firstBlock;     // which sets them
  float *kept, *decays;  // scratch: states [n + 1][tile][VW], and decays [n][tile][VW] in Mamba-1
};

// g: [tile][VW], the gradient of the state after the chunk, then before it; dA: [tile][VW], set.
template <int T, bool PerState>
static void retreat(const Steps& s, const Gradient& d, const float* h, int64_t hRow, int lanes, float* g, float* dA) {
  // Copies, because a vector that is stored might be anything to the compiler, a pointer of these included.
  const int64_t n = s.n, bRow = s.bRow, cRow = s.cRow;
  const float *const steps = s.decay, *const inputs = s.input, *const A = s.A, *const starts = s.starts;
  float *const keptAll = d.kept, *const decaysAll = d.decays, *const yAll = d.y;
  vf state[T];
  for (int i = 0; i < T; ++i) {
    state[i] = load(h + i * hRow, lanes);
    vstore(keptAll + i * VW, state[i]);
  }
  const float *B = s.B, *C = s.C;
  float *kept = keptAll + T * VW, *decays = decaysAll;
  for (int64_t t = 0; t < n; ++t) {
    const vf step = vload(steps + t * VW), in = vload(inputs + t * VW);
    vf y = yAll ? vload(yAll + t * VW) : vzero();
    constexpr int M = T < 4 ? T : 4;
#pragma GCC unroll 16
    for (int i = 0; i < T; i += M) {
      vf a[M];
#pragma GCC unroll 4
      for (int j = 0; j < M; ++j) a[j] = PerState ? vmul(step, vload(A + (i + j) * VW)) : step;
      if (PerState) exp2All<M>(a);
      if (starts && starts[t] != 0.0f)
        for (int j = 0; j < M; ++j) a[j] = vzero();
#pragma GCC unroll 4
      for (int j = 0; j < M; ++j) {
        if (PerState) vstore(decays + (i + j) * VW, a[j]);
        state[i + j] = vfma(a[j], state[i + j], vmul(in, vset1(B[i + j])));
        vstore(kept + (i + j) * VW, state[i + j]);
      }
#pragma GCC unroll 4
      for (int j = 0; j < M; ++j) y = vfma(state[i + j], vset1(C[i + j]), y);
    }
    if (yAll) vstore(yAll + t * VW, y);
    B += bRow;
    C += cRow;
    kept += T * VW;
    decays += T * VW;
  }
  vf carry[T];
  vf sums[T];
  for (int i = 0; i < T; ++i) carry[i] = vload(g + i * VW), sums[i] = vzero();
  const float* const dys = d.dy;
  float *const sumsB = d.sumB, *const sumsA = d.sumA;
  float *accB = d.accB + n * T * VW, *accC = d.accC + n * T * VW;
  const bool firstTile = d.firstTile, firstBlock = d.firstBlock;
  kept -= T * VW;
  for (int64_t t = n - 1; t >= 0; --t) {
    B -= bRow;
    C -= cRow;
    kept -= T * VW;
    decays -= T * VW;
    accB -= T * VW;
    accC -= T * VW;
    const vf step = vload(steps + t * VW), in = vload(inputs + t * VW), dy = vload(dys + t * VW);
    vf sumB = firstTile ? vzero() : vload(sumsB + t * VW), sumA = firstTile ? vzero() : vload(sumsA + t * VW);
    const vf decay = PerState || (starts && starts[t] != 0.0f) ? vzero() : step;
    if (firstBlock)
#pragma GCC unroll 16
      for (int i = 0; i < T; ++i) {
        carry[i] = vfma(dy, vset1(C[i]), carry[i]);
        vstore(accC + i * VW, vmul(dy, state[i]));
        vstore(accB + i * VW, vmul(carry[i], in));
      }
    else
#pragma GCC unroll 16
      for (int i = 0; i < T; ++i) {
        carry[i] = vfma(dy, vset1(C[i]), carry[i]);
        vstore(accC + i * VW, vfma(dy, state[i], vload(accC + i * VW)));
        vstore(accB + i * VW, vfma(carry[i], in, vload(accB + i * VW)));
      }
#pragma GCC unroll 16
    for (int i = 0; i < T; ++i) {
      sumB = vfma(carry[i], vset1(B[i]), sumB);
      // The state before the token; its share of this one is carry h, with the decay in the carry already.
      state[i] = vload(kept + i * VW);
      carry[i] = vmul(carry[i], PerState ? vload(decays + i * VW) : decay);
      const vf from = vmul(carry[i], state[i]);
      if (PerState) {
        sumA = vfma(from, vload(A + i * VW), sumA);
        sums[i] = vfma(from, step, sums[i]);
      } else {
        sumA = vadd(sumA, from);
      }
    }
    vstore(sumsB + t * VW, sumB);
    vstore(sumsA + t * VW, sumA);
  }
  for (int i = 0; i < T; ++i) {
    vstore(g + i * VW, carry[i]);
    if (PerState) vstore(dA + i * VW, sums[i]);
  }
}

// sum += v with what rounding loses kept beside it (Kahan).
static inline void addTo(float* sum, float* lost, vf v) {
  const vf y = vsub(v, vload(lost)), old = vload(sum), now = vadd(old, y);
  vstore(lost, vsub(vsub(now, old), y));
  vstore(sum, now);
}

// Sums of the lanes of [n][T][VW] to out[t * row + i].
template <int T>
static void sumLanes(const float* acc, int64_t n, float* out, int64_t row) {
  for (int64_t t = 0; t < n; ++t) {
    const float* p = acc + t * T * VW;
    int i = 0;
    for (; i + 4 <= T; i += 4)
      vsum4(vload(p + i * VW), vload(p + (i + 1) * VW), vload(p + (i + 2) * VW), vload(p + (i + 3) * VW), out + t * row + i);
    for (; i < T; ++i) out[t * row + i] = vsum(vload(p + i * VW));
  }
}

// Sums over tokens and rows that tasks leave behind: dA, dD, dBias for each row of the batch; dB and dC for each task.
struct Partial {
  float *dA, *dD, *dBias, *dB, *dC;
};

// The gradient before the gate, and what the gate's own gradient takes of it: silu(z) = z sig(z) has the slope
// sig(z) (1 + z (1 - sig(z))).
static void beforeGate(const Scan& s, const ScanBackward& g, const Block& k, int64_t i, int64_t row, int64_t n, const Vectors& v) {
  for (int64_t t = 0; t < n; ++t) {
    const int64_t at = (i * s.chunk + t) * VW, from = (row + t) * s.channels + k.first;
    vf grad = load(g.dy + from, k.lanes);
    if (s.z) {
      const vf z = load(s.z + from, k.lanes), sig = sigmoidOf(z), silu = vmul(z, sig);
      if (v.gate) vstore(v.gate + at, vmul(grad, vfma(silu, vsub(vset1(1.0f), sig), sig)));
      grad = vmul(grad, silu);
    }
    vstore(v.dy + at, grad);
  }
}

// Floats that a task keeps from one stretch of chunks to the one before.
static int64_t keptSize(const Task& task) { return 4 * task.blocks * (task.s.states + 1) * VW; }

// Chunks [c0, c1). The last ones come first and set up what is kept; those from 0 on hand out the sums.
template <bool PerState>
static void backwardTask(const Task& task, const ScanBackward& g, const Partial& out, int64_t c0, int64_t c1, float* kept) {
  const Scan& s = task.s;
  const int64_t N = s.states, L = s.length, E = s.channels, Q = s.chunk, chunks = (L + Q - 1) / Q, H = s.headWidth ? E / s.headWidth : E;
  const int64_t K = task.blocks, V = Q * VW, tile = kBackward * V;
  int64_t together = 0;  // blocks of a run
  for (int64_t r = task.firstRun; r < task.endRun; ++r)
    if (task.run(r).blocks > together) together = task.run(r).blocks;
  float *carry = kept, *rates = carry + K * N * VW, *dA = rates + K * N * VW, *lostA = dA + K * N * VW;
  float *sumD = lostA + K * N * VW, *lostD = sumD + K * VW, *sumBias = lostD + K * VW, *lostBias = sumBias + K * VW;
  float* next = scratch(0, static_cast<size_t>(10 * together * V + 4 * tile + 2048 + 2 * Q));
  const auto take = [&](int64_t n) { return (next += n) - n; };
  Vectors v{};
  v.step = take(together * V), v.input = take(together * V), v.dy = take(together * V), v.sumB = take(together * V), v.sumA = take(together * V);
  v.slope = take(together * V), v.u = take(together * V);
  if (!PerState) v.decay = take(together * V);
  if (s.z && g.dz) v.y = take(together * V), v.gate = take(together * V);
  // A token's part of one of these must not lie a multiple of 4096 bytes from where another has just been written, or it
  // waits for that: half, 3/16 and 11/16 of a page apart, no token within four of it does.
  float *accB = take(tile), *accC = take(tile + 512) + 512, *states = take(tile + kBackward * VW + 704) + 704;
  float *decays = take(tile + 448) + 448, *heads = take(2 * Q);
  if (c1 == chunks) {
    for (int64_t i = 0; i < K; ++i) {
      gather(g.dhOut ? g.dhOut + task.b * E * N : nullptr, task.block(i), N, 1.0f, carry + i * N * VW);
      if (PerState) gather(s.A, task.block(i), N, kLog2e, rates + i * N * VW);
    }
    convolution::zeroRun(dA, 2 * K * N * VW);
    convolution::zeroRun(sumD, 4 * K * VW);
  }
  for (int64_t c = c1 - 1; c >= c0; --c) {
    const int64_t t0 = c * Q, n = L - t0 < Q ? L - t0 : Q, row = task.b * L + t0;
    for (int64_t r = task.firstRun, i0 = 0; r < task.endRun; ++r) {
      const Run run = task.run(r);
      const int64_t i1 = i0 + run.blocks;
      for (int64_t i = i0; i < i1; ++i) {
        prepare(task, task.block(i), i - i0, row, n, v);
        beforeGate(s, g, task.block(i), i - i0, row, n, v);
      }
      const int64_t share = (Q * kBackward + N * run.blocks - 1) / (N * run.blocks);  // rows to prefetch each time
      int64_t soon = t0 - Q;
      tiles<kBackward>(N, [&](auto size, int64_t from) {
        constexpr int T = decltype(size)::value;
        Steps steps{n, nullptr, nullptr, s.B + row * s.bRow + task.group * N + from, s.C + row * s.cRow + task.group * N + from,
                    s.bRow, s.cRow, s.starts ? s.starts + row : nullptr, nullptr};
        for (int64_t i = i0; i < i1; ++i) {
          const Block& k = task.block(i);
          const int64_t at = (i - i0) * V, place = (i * N + from) * VW;
          steps.decay = (PerState ? v.step : v.decay) + at;
          steps.input = v.input + at;
          steps.A = rates + place;
          const Gradient d{v.dy + at, v.sumB + at, v.sumA + at, from == 0, v.y ? v.y + at : nullptr, accB, accC, i == i0, states, decays};
          if (c > 0) {
            if (soon < t0) prefetchRows(s, &g, task.b, soon, soon + share < t0 ? soon + share : t0, run.first, run.end);
            soon += share;
            for (int64_t j = 0; j < T; ++j)
              __builtin_prefetch(g.saved + ((task.b * chunks + c - 1) * N + from + j) * E + k.first, 0, 2);
          }
          float change[kBackward * VW];
          retreat<T, PerState>(steps, d, g.saved + ((task.b * chunks + c) * N + from) * E + k.first, E, k.lanes, carry + place, change);
          if (PerState)
            for (int j = 0; j < T; ++j) addTo(dA + place + j * VW, lostA + place + j * VW, vload(change + j * VW));
        }
        const int64_t part = ((task.b * s.groups + task.group) * task.cut.runs + r) * (c1 - c0) * Q * N + (c - c0) * Q * N + from;
        sumLanes<T>(accB, n, out.dB + part, N);
        sumLanes<T>(accC, n, out.dC + part, N);
      });
      for (int64_t i = i0; i < i1; ++i) {
        const Block& k = task.block(i);
        const vf D = skip(s, k);
        const bool firstOfHead = s.headWidth && k.first % s.headWidth == 0, lastOfHead = s.headWidth && k.first + k.lanes == (k.head + 1) * s.headWidth;
        if (firstOfHead) convolution::zeroRun(heads, 2 * Q);
        vf dD = vzero(), dBias = vzero();
        for (int64_t t = 0; t < n; ++t) {
          const int64_t to = (row + t) * E + k.first, at = (i - i0) * V + t * VW;
          const vf dt = vload(v.step + at), grad = vload(v.dy + at), gB = vload(v.sumB + at), gA = vload(v.sumA + at);
          const vf u = vload(v.u + at);
          store(g.du + (row + t) * s.uRow + k.first, vfma(dt, gB, vmul(D, grad)), k.lanes);
          dD = vfma(grad, u, dD);
          if (PerState) {
            const vf change = vmul(vfma(gA, vset1(kLn2), vmul(u, gB)), vload(v.slope + at));
            dBias = vadd(dBias, change);
            store(g.dDelta + to, change, k.lanes);
          } else {
            heads[t] += vsum(vmul(u, gB));
            heads[Q + t] += vsum(gA);
          }
          if (v.gate) store(g.dz + to, vmul(vload(v.y + at), vload(v.gate + at)), k.lanes);
        }
        addTo(sumD + i * VW, lostD + i * VW, dD);
        if (lastOfHead) {
          float rate = 0.0f, bias = 0.0f;
          for (int64_t t = 0; t < n; ++t) {
            const int64_t at = (i - i0) * V + t * VW;
            const float change = (heads[t] + s.A[k.head] * heads[Q + t]) * v.slope[at];
            g.dDelta[(row + t) * H + k.head] = change;
            bias += change;
            rate += v.step[at] * heads[Q + t];
          }
          // One number a head: the first lane is as good as any.
          addTo(dA + i * N * VW, lostA + i * N * VW, vset1(rate));
          dBias = vset1(bias);
        }
        addTo(sumBias + i * VW, lostBias + i * VW, dBias);
      }
      i0 = i1;
    }
  }
  if (c0 > 0) return;
  for (int64_t i = 0; i < K; ++i) {
    const Block& k = task.block(i);
    scatter(carry + i * N * VW, k, N, g.dh + task.b * E * N);
    if (PerState) {
      scatter(dA + i * N * VW, k, N, out.dA + task.b * E * N);
      store(out.dD + task.b * E + k.first, vload(sumD + i * VW), k.lanes);
      store(out.dBias + task.b * E + k.first, vload(sumBias + i * VW), k.lanes);
    } else {
      float& d = out.dD[task.b * H + k.head];
      if (k.first % s.headWidth == 0) d = 0.0f;
      d += vsum(vload(sumD + i * VW));
      if (k.first + k.lanes == (k.head + 1) * s.headWidth) {
        out.dA[task.b * H + k.head] = dA[i * N * VW];
        out.dBias[task.b * H + k.head] = sumBias[i * VW];
      }
    }
  }
}

// out[i] = the sum of `parts` arrays of n numbers, one after the other in memory.
static void addParts(const float* from, int64_t parts, int64_t n, float* out) {
  if (out)
    for (int64_t i = 0; i < n; ++i) {
      float sum = 0.0f;
      for (int64_t p = 0; p < parts; ++p) sum += from[p * n + i];
      out[i] = sum;
    }
}

// dB and dC of `rows` tokens from row t0 on, from the sums of each run.
static void addRuns(const Scan& s, const ScanBackward& g, const Partial& from, int64_t runs, int64_t stretch, int64_t t0, int64_t rows) {
  const int64_t N = s.states, G = s.groups;
  parallelRange(s.batch * G * rows, 64, [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const int64_t t = r % rows, group = r / rows % G, b = r / rows / G, row = b * s.length + t0 + t;
      const int64_t first = ((b * G + group) * runs * stretch + t) * N;
      for (int64_t n = 0; n < N; n += VW) {
        const int left = static_cast<int>(N - n < VW ? N - n : VW);
        vf sumB = vzero(), sumC = vzero();
        for (int64_t p = 0; p < runs; ++p) {
          sumB = vadd(sumB, load(from.dB + first + p * stretch * N + n, left));
          sumC = vadd(sumC, load(from.dC + first + p * stretch * N + n, left));
        }
        store(g.dB + row * s.bRow + group * N + n, sumB, left);
        store(g.dC + row * s.cRow + group * N + n, sumC, left);
      }
    }
  });
}

static void backward(const Scan& s, const ScanBackward& g) {
  if (byChunks(s)) return chunksBackward(s, g);
  const Cut cut(s);
  const int64_t N = s.states, Q = s.chunk, chunks = (s.length + Q - 1) / Q, parts = s.batch * s.groups * cut.runs, tasks = cut.tasks(s);
  const int64_t heads = s.headWidth ? s.channels / s.headWidth : s.channels, rates = s.headWidth ? heads : heads * N;
  // A stretch of about a thousand tokens at a time: the sums of the runs do not grow with the length.
  const int64_t stretch = Q > 1024 ? 1 : 1024 / Q < chunks ? 1024 / Q : chunks;
  int64_t each = 0;
  for (int64_t i = 0; i < tasks; ++i) {
    const int64_t size = keptSize(Task(s, cut, i));
    if (size > each) each = size;
  }
  Memory memory(s.batch * (rates + 2 * heads) + tasks * each);
  float* sums = scratch(2, static_cast<size_t>(2 * parts * stretch * Q * N));
  Partial all{memory.data, memory.data + s.batch * rates, memory.data + s.batch * (rates + heads), nullptr, nullptr};
  float* kept = memory.data + s.batch * (rates + 2 * heads);
  for (int64_t c1 = chunks; c1 > 0;) {
    const int64_t c0 = c1 > stretch ? c1 - stretch : 0, size = (c1 - c0) * Q, end = c1 * Q < s.length ? c1 * Q : s.length;
    all.dB = sums, all.dC = sums + parts * size * N;
    parallelTasks(tasks, [&](int64_t i) {
      const Task task(s, cut, i);
      if (s.headWidth) backwardTask<false>(task, g, all, c0, c1, kept + i * each);
      else backwardTask<true>(task, g, all, c0, c1, kept + i * each);
    });
    addRuns(s, g, all, cut.runs, size, c0 * Q, end - c0 * Q);
    c1 = c0;
  }
  addParts(all.dA, s.batch, rates, g.dA);
  addParts(all.dD, s.batch, heads, g.dD);
  addParts(all.dBias, s.batch, heads, g.dBias);
}

}  // namespace scan
}  // namespace NETSSM_ISA
}  // namespace netssm
