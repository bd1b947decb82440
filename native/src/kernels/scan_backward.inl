// The gradients of a scan, from the last chunk to the first.

namespace netssm {
namespace NETSSM_ISA {
namespace scan {

// What the gradient of a tile reads and adds to, beside Steps; [n][VW] unless said otherwise.
struct Gradient {
  const float* dy;
  float *sumB, *sumA;  // over the states: g B, and g times what came from before (times A log2(e) in Mamba-1)
  float* y;            // or null: += h C
  float *accB, *accC;  // [n][tile][VW]
  float *kept, *decays;  // scratch, [n][tile][VW]; decays in Mamba-1 only
};

// g: [tile][VW], the gradient of the state after the chunk, then before it; dA: [tile][VW], added to.
template <int T, bool PerState>
static void retreat(const Steps& s, const Gradient& d, const float* h, float* g, float* dA) {
  vf state[T];
  for (int i = 0; i < T; ++i) state[i] = vload(h + i * VW);
  for (int64_t t = 0; t < s.n; ++t) {
    const bool starts = s.starts && s.starts[t] != 0.0f;
    const vf step = vload(s.decay + t * VW), in = vload(s.input + t * VW);
    const float *B = s.B + t * s.bRow, *C = s.C + t * s.cRow;
    float *kept = d.kept + t * T * VW, *decays = d.decays + t * T * VW;
    vf y = d.y ? vload(d.y + t * VW) : vzero();
    constexpr int M = T < 4 ? T : 4;
#pragma GCC unroll 16
    for (int i = 0; i < T; i += M) {
      vf a[M], before[M];
#pragma GCC unroll 4
      for (int j = 0; j < M; ++j) a[j] = PerState ? vmul(step, vload(s.A + (i + j) * VW)) : step;
      if (PerState) exp2All<M>(a);
#pragma GCC unroll 4
      for (int j = 0; j < M; ++j) {
        if (starts) a[j] = vzero();
        if (PerState) vstore(decays + (i + j) * VW, a[j]);
        before[j] = vmul(a[j], state[i + j]);
        vstore(kept + (i + j) * VW, before[j]);
        state[i + j] = vfma(in, vset1(B[i + j]), before[j]);
      }
      if (d.y)
        for (int j = 0; j < M; ++j) y = vfma(state[i + j], vset1(C[i + j]), y);
    }
    if (d.y) vstore(d.y + t * VW, y);
  }
  vf carry[T];
  vf sums[T];
  for (int i = 0; i < T; ++i) carry[i] = vload(g + i * VW), sums[i] = vzero();
  for (int64_t t = s.n - 1; t >= 0; --t) {
    const bool starts = s.starts && s.starts[t] != 0.0f;
    const vf step = vload(s.decay + t * VW), in = vload(s.input + t * VW), dy = vload(d.dy + t * VW);
    const float *B = s.B + t * s.bRow, *C = s.C + t * s.cRow;
    const float *kept = d.kept + t * T * VW, *decays = d.decays + t * T * VW;
    float *accB = d.accB + t * T * VW, *accC = d.accC + t * T * VW;
    vf sumB = vload(d.sumB + t * VW), sumA = vload(d.sumA + t * VW);
    const vf decay = PerState || starts ? vzero() : step;
#pragma GCC unroll 16
    for (int i = 0; i < T; ++i) {
      const vf before = vload(kept + i * VW), b = vset1(B[i]);
      const vf grad = vfma(dy, vset1(C[i]), carry[i]);
      vstore(accC + i * VW, vfma(dy, vfma(in, b, before), vload(accC + i * VW)));
      vstore(accB + i * VW, vfma(grad, in, vload(accB + i * VW)));
      sumB = vfma(grad, b, sumB);
      const vf from = vmul(grad, before);
      if (PerState) {
        sumA = vfma(from, vload(s.A + i * VW), sumA);
        sums[i] = vfma(from, step, sums[i]);
        carry[i] = vmul(grad, vload(decays + i * VW));
      } else {
        sumA = vadd(sumA, from);
        carry[i] = vmul(grad, decay);
      }
    }
    vstore(d.sumB + t * VW, sumB);
    vstore(d.sumA + t * VW, sumA);
  }
  for (int i = 0; i < T; ++i) {
    vstore(g + i * VW, carry[i]);
    if (PerState) vstore(dA + i * VW, vadd(vload(dA + i * VW), sums[i]));
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

template <bool PerState>
static void backwardTask(const Task& task, const ScanBackward& g, const Partial& out) {
  const Scan& s = task.s;
  const int64_t N = s.states, L = s.length, E = s.channels, Q = s.chunk, chunks = (L + Q - 1) / Q, H = s.headWidth ? E / s.headWidth : E;
  const int64_t K = task.blocks, V = Q * VW, tile = kBackward * V;
  float* memory = scratch(0, static_cast<size_t>(4 * K * N * VW + 7 * K * V + 4 * tile + N * VW + 4 * K * VW + 2 * Q));
  float *carry = memory, *rates = carry + K * N * VW, *dA = rates + K * N * VW, *lostA = dA + K * N * VW;
  float *step = lostA + K * N * VW, *decay = step + K * V, *input = decay + K * V, *dy = input + K * V;
  float *sumB = dy + K * V, *sumA = sumB + K * V, *y = sumA + K * V;
  float *accB = y + K * V, *accC = accB + tile, *kept = accC + tile, *decays = kept + tile;
  float *h = decays + tile, *sumD = h + N * VW, *lostD = sumD + K * VW, *sumBias = lostD + K * VW, *lostBias = sumBias + K * VW;
  float* heads = lostBias + K * VW;
  for (int64_t i = 0; i < K; ++i) {
    gather(g.dhOut ? g.dhOut + task.b * E * N : nullptr, task.block(i), N, 1.0f, carry + i * N * VW);
    if (PerState) gather(s.A, task.block(i), N, kLog2e, rates + i * N * VW);
  }
  convolution::zeroRun(dA, 2 * K * N * VW);
  convolution::zeroRun(sumD, 4 * K * VW);
  for (int64_t c = chunks - 1; c >= 0; --c) {
    const int64_t t0 = c * Q, n = L - t0 < Q ? L - t0 : Q, row = task.b * L + t0;
    prefetchChunk(task, g.dy, t0 - Q, Q);
    prepare(task, row, n, step, decay, input, s.z ? y : nullptr);
    for (int64_t t = 0; t < n; ++t)
      for (int64_t i = 0; i < K; ++i) {
        const Block& k = task.block(i);
        vf grad = load(g.dy + (row + t) * E + k.first, k.lanes);
        if (s.z) {
          const vf z = load(s.z + (row + t) * E + k.first, k.lanes);
          grad = vmul(grad, vmul(z, vsigmoid(z)));
        }
        vstore(dy + i * V + t * VW, grad);
      }
    convolution::zeroRun(sumB, 2 * K * V);
    tiles<kBackward>(N, [&](auto size, int64_t from) {
      constexpr int T = decltype(size)::value;
      Steps steps{n, nullptr, nullptr, s.B + row * s.bRow + task.group * N + from, s.C + row * s.cRow + task.group * N + from,
                  s.bRow, s.cRow, s.starts ? s.starts + row : nullptr, nullptr};
      for (int64_t r = task.firstRun, i = 0; r < task.endRun; ++r) {
        convolution::zeroRun(accB, n * T * VW);
        convolution::zeroRun(accC, n * T * VW);
        for (const int64_t stop = i + task.run(r).blocks; i < stop; ++i) {
          const Block& k = task.block(i);
          for (int j = 0; j < T; ++j)
            vstore(h + j * VW, load(g.saved + ((task.b * chunks + c) * N + from + j) * E + k.first, k.lanes));
          steps.decay = (PerState ? step : decay) + i * V;
          steps.input = input + i * V;
          steps.A = rates + (i * N + from) * VW;
          const Gradient d{dy + i * V, sumB + i * V, sumA + i * V, s.z ? y + i * V : nullptr, accB, accC, kept, decays};
          float change[kBackward * VW];
          if (PerState) convolution::zeroRun(change, T * VW);
          retreat<T, PerState>(steps, d, h, carry + (i * N + from) * VW, change);
          if (PerState)
            for (int j = 0; j < T; ++j)
              addTo(dA + (i * N + from + j) * VW, lostA + (i * N + from + j) * VW, vload(change + j * VW));
        }
        const int64_t part = ((task.b * s.groups + task.group) * task.cut.runs + r) * L * N + t0 * N + from;
        sumLanes<T>(accB, n, out.dB + part, N);
        sumLanes<T>(accC, n, out.dC + part, N);
      }
    });
    for (int64_t i = 0; i < K; ++i) {
      const Block& k = task.block(i);
      const vf D = skip(s, k);
      const bool firstOfHead = s.headWidth && k.first % s.headWidth == 0, lastOfHead = s.headWidth && k.first + k.lanes == (k.head + 1) * s.headWidth;
      if (firstOfHead) convolution::zeroRun(heads, 2 * Q);
      vf dD = vzero(), dBias = vzero();
      for (int64_t t = 0; t < n; ++t) {
        const int64_t at = (row + t) * E + k.first;
        const vf dt = vload(step + i * V + t * VW), grad = vload(dy + i * V + t * VW), gB = vload(sumB + i * V + t * VW);
        const vf u = load(s.u + (row + t) * s.uRow + k.first, k.lanes), gA = vload(sumA + i * V + t * VW);
        store(g.du + (row + t) * s.uRow + k.first, vfma(dt, gB, vmul(D, grad)), k.lanes);
        dD = vfma(grad, u, dD);
        if (PerState) {
          const vf change = vmul(vfma(gA, vset1(kLn2), vmul(u, gB)), vsigmoid(rawStep(s, k, row + t)));
          dBias = vadd(dBias, change);
          store(g.dDelta + at, change, k.lanes);
        } else {
          heads[t] += vsum(vmul(u, gB));
          heads[Q + t] += vsum(gA);
        }
        if (s.z && g.dz) {
          const vf z = load(s.z + at, k.lanes), sig = vsigmoid(z);
          // z sig(z) has the slope sig(z) (1 + z (1 - sig(z)))
          const vf slope = vmul(sig, vfma(z, vsub(vset1(1.0f), sig), vset1(1.0f)));
          store(g.dz + at, vmul(vmul(load(g.dy + at, k.lanes), vload(y + i * V + t * VW)), slope), k.lanes);
        }
      }
      addTo(sumD + i * VW, lostD + i * VW, dD);
      if (lastOfHead) {
        float rate = 0.0f, bias = 0.0f;
        for (int64_t t = 0; t < n; ++t) {
          float sig[VW];
          vstore(sig, vsigmoid(rawStep(s, k, row + t)));
          const float change = (heads[t] + s.A[k.head] * heads[Q + t]) * sig[0];
          g.dDelta[(row + t) * H + k.head] = change;
          bias += change;
          rate += step[i * V + t * VW] * heads[Q + t];
        }
        // One number a head: the first lane is as good as any.
        addTo(dA + i * N * VW, lostA + i * N * VW, vset1(rate));
        dBias = vset1(bias);
      }
      addTo(sumBias + i * VW, lostBias + i * VW, dBias);
    }
  }
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

static void backward(const Scan& s, const ScanBackward& g) {
  const Cut cut(s);
  const int64_t N = s.states, L = s.length, G = s.groups, parts = s.batch * G * cut.runs;
  const int64_t heads = s.headWidth ? s.channels / s.headWidth : s.channels, rates = s.headWidth ? heads : heads * N;
  Memory memory(s.batch * (rates + 2 * heads) + 2 * parts * L * N);
  const Partial all{memory.data, memory.data + s.batch * rates, memory.data + s.batch * (rates + heads),
                    memory.data + s.batch * (rates + 2 * heads), memory.data + s.batch * (rates + 2 * heads) + parts * L * N};
  parallelTasks(cut.tasks(s), [&](int64_t i) {
    const Task task(s, cut, i);
    if (s.headWidth) backwardTask<false>(task, g, all);
    else backwardTask<true>(task, g, all);
  });
  addParts(all.dA, s.batch, rates, g.dA);
  addParts(all.dD, s.batch, heads, g.dD);
  addParts(all.dBias, s.batch, heads, g.dBias);
  parallelRange(s.batch * L, 64, [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r)
      for (int64_t group = 0; group < G; ++group) {
        const int64_t first = ((r / L * G + group) * cut.runs * L + r % L) * N;
        float *toB = g.dB + r * s.bRow + group * N, *toC = g.dC + r * s.cRow + group * N;
        for (int64_t n = 0; n < N; ++n) {
          float b = 0.0f, c = 0.0f;
          for (int64_t p = 0; p < cut.runs; ++p) b += all.dB[first + p * L * N + n], c += all.dC[first + p * L * N + n];
          toB[n] = b;
          toC[n] = c;
        }
      }
  });
}

}  // namespace scan
}  // namespace NETSSM_ISA
}  // namespace netssm
