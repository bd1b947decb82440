// One call of the decoder: every layer for some tokens of some sequences. A row is a token of a sequence.

namespace netssm {
namespace NETSSM_ISA {
namespace decoder {

// What a call works on. Rows of every array are padded to whole panels or blocks.
struct Work {
  float* x;     // residual stream [rows, modelRow]
  float* u;     // normed, and the gated output of the scan [rows, uRow]
  float* proj;  // of in_proj [rows, projRow]
  float* conv;  // after convolution and SiLU [rows, convRow]
  float* low;   // Mamba-1: of x_proj [rows, lowRow]
  float* dt;    // step size: a head each (Mamba-2) or a channel each [rows, dtRow]
  float* decay; // Mamba-2: a channel each, in blocks [rows, blockRow]
  float* input; // dt x [rows, blockRow]
  float* y;     // [rows, blockRow]
  float* scores;// logits [sequences, scoreRow]
  int64_t modelRow, uRow, projRow, convRow, lowRow, dtRow, blockRow, scoreRow;
};

static int64_t layout(const DecoderSizes& s, int64_t rows, float* memory, Work* w) {
  Arena arena{memory};
  w->modelRow = roundUp(s.model, PW);
  w->uRow = roundUp(s.inner > s.model ? s.inner : s.model, PW);
  w->projRow = roundUp(s.projected(), PW);
  w->convRow = roundUp(s.convolved(), PW);
  w->lowRow = roundUp(s.rank + 2 * s.states, PW);
  w->blockRow = paddedInner(s);
  w->dtRow = s.kind == Mamba1 && w->blockRow > roundUp(s.heads, PW) ? w->blockRow : roundUp(s.heads, PW);
  w->scoreRow = roundUp(s.vocab, PW);
  w->x = arena.take(rows * w->modelRow);
  w->u = arena.take(rows * w->uRow);
  w->proj = arena.take(rows * w->projRow);
  w->conv = arena.take(rows * w->convRow);
  w->low = s.kind == Mamba1 ? arena.take(rows * w->lowRow) : nullptr;
  w->dt = arena.take(rows * w->dtRow);
  w->decay = s.kind == Mamba2 ? arena.take(rows * w->blockRow) : nullptr;
  w->input = arena.take(rows * w->blockRow);
  w->y = arena.take(rows * w->blockRow);
  w->scores = arena.take((rows < kDecoderSequences ? rows : kDecoderSequences) * w->scoreRow);
  return arena.used;
}

static int64_t workspace(const DecoderSizes& s, int64_t rows) {
  Work w;
  return layout(s, rows, nullptr, &w);
}

static inline vf loadTo(const float* p, int64_t left) { return left >= VW ? vload(p) : vloadn(p, static_cast<int>(left)); }
static inline void storeTo(float* p, vf v, int64_t left) {
  if (left >= VW) vstore(p, v);
  else vstoren(p, v, static_cast<int>(left));
}

static float meanScale(float squares, int64_t n) { return 1.0f / __builtin_sqrtf(squares / static_cast<float>(n) + 1e-5f); }

// out = weight x / rms(x)
static void norm(const float* x, const float* weight, float* out, int64_t n) {
  vf squares = vzero();
  for (int64_t i = 0; i < n; i += VW) {
    const vf v = loadTo(x + i, n - i);
    squares = vfma(v, v, squares);
  }
  const vf scale = vset1(meanScale(vsum(squares), n));
  for (int64_t i = 0; i < n; i += VW)
    storeTo(out + i, vmul(vmul(loadTo(x + i, n - i), scale), loadTo(weight + i, n - i)), n - i);
}

// The causal convolution of one token and SiLU; the oldest input leaves the state. In place is fine.
static void convolve(const DecoderSizes& s, const DecoderLayer& layer, const float* now, const float* in, float* state,
                     float* out) {
  const int64_t n = s.convolved(), past = s.taps - 1;
  for (int64_t c = 0; c < n; c += VW) {
    const int64_t left = n - c;
    vf sum = loadTo(layer.convBias + c, left);
    for (int64_t k = 0; k < past; ++k) {
      const vf v = loadTo(in + k * n + c, left);
      sum = vfma(loadTo(layer.convWeight + k * n + c, left), v, sum);
      if (k > 0) storeTo(state + (k - 1) * n + c, v, left);
    }
    const vf v = loadTo(now + c, left);
    sum = vfma(loadTo(layer.convWeight + past * n + c, left), v, sum);
    if (past > 0) storeTo(state + (past - 1) * n + c, v, left);
    storeTo(out + c, vmul(sum, vsigmoid(sum)), left);
  }
}

// From a row's step sizes: dt x and, for Mamba-2, exp(dt A), one number a channel.
static void spread(const DecoderSizes& s, const DecoderLayer& layer, const Work& w, int64_t row) {
  float* dt = w.dt + row * w.dtRow;
  const float* x = w.conv + row * w.convRow;
  const int64_t width = s.inner / s.groups, stride = groupWidth(s), heads = s.heads / s.groups, P = width / heads;
  float* input = w.input + row * w.blockRow;
  if (s.kind == Mamba1) {
    for (int64_t c = 0; c < s.inner; c += VW) {
      const int64_t left = s.inner - c;
      const vf v = vsoftplus(vadd(loadTo(dt + c, left), loadTo(layer.dtBias + c, left)));
      storeTo(dt + c, v, left);
      storeTo(input + c, vmul(v, loadTo(x + c, left)), left);
    }
    for (int64_t c = s.inner; c < stride; ++c) dt[c] = input[c] = 0.0f;
    return;
  }
  const float* raw = w.proj + row * w.projRow + s.inner + s.convolved();
  float* decay = w.decay + row * w.blockRow;
  float* heads2 = w.y + row * w.blockRow;  // not in use yet, and as long as the channels
  for (int64_t h = 0; h < s.heads; h += VW) {
    const int64_t left = s.heads - h;
    const vf v = vsoftplus(vadd(loadTo(raw + h, left), loadTo(layer.dtBias + h, left)));
    storeTo(dt + h, v, left);
    storeTo(heads2 + h, vexp(vmul(v, loadTo(layer.A + h, left))), left);
  }
  for (int64_t g = 0; g < s.groups; ++g) {
    float *to = input + g * stride, *keep = decay + g * stride;
    const float* from = x + g * width;
    for (int64_t h = 0; h < heads; ++h) {
      const vf step = vset1(dt[g * heads + h]), k = vset1(heads2[g * heads + h]);
      for (int64_t p = 0; p < P; p += VW) {
        const int64_t at = h * P + p, left = P - p;
        storeTo(to + at, vmul(step, loadTo(from + at, left)), left);
        storeTo(keep + at, k, left);
      }
    }
    for (int64_t c = width; c < stride; ++c) to[c] = keep[c] = 0.0f;
  }
}

// h = decay h + dt x B, y = h C for SB channels and `length` tokens.
template <bool PerState>
static void scanBlock(int64_t states, int64_t length, const float* in, float* h, const float* decay, int64_t decayRow,
                      const float* A, const float* input, const float* B, const float* C, int64_t bcRow, float* y,
                      int64_t blockRow) {
  for (int64_t t = 0; t < length; ++t) {
    vf u[4], k[4], even[4], odd[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      u[j] = vload(input + j * VW);
      k[j] = vload(decay + j * VW);
      even[j] = odd[j] = vzero();
    }
    const auto one = [&](int64_t n, vf* sum) {
      const vf b = vset1(B[n]), c = vset1(C[n]);
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const int64_t at = n * SB + j * VW;
        const vf keep = PerState ? vexp(vmul(k[j], vload(A + at))) : k[j];
        const vf v = vfma(keep, vload(in + at), vmul(u[j], b));
        vstore(h + at, v);
        sum[j] = vfma(v, c, sum[j]);
      }
    };
    int64_t n = 0;
    for (; n + 2 <= states; n += 2) {
      one(n, even);
      one(n + 1, odd);
    }
    if (n < states) one(n, odd);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) vstore(y + j * VW, vadd(even[j], odd[j]));
    in = h;
    decay += decayRow;
    input += blockRow;
    B += bcRow;
    C += bcRow;
    y += blockRow;
  }
}

// (y + D x) silu(z), and for Mamba-2 the norm of each group: into u.
static void gate(const DecoderSizes& s, const DecoderLayer& layer, const Work& w, int64_t row) {
  const int64_t width = s.inner / s.groups, stride = groupWidth(s);
  for (int64_t g = 0; g < s.groups; ++g) {
    const float* y = w.y + row * w.blockRow + g * stride;
    const float* x = w.conv + row * w.convRow + g * width;
    const float* z = w.proj + row * w.projRow + (s.kind == Mamba1 ? s.inner : 0) + g * width;
    const float* D = layer.D + g * width;
    float* out = w.u + row * w.uRow + g * width;
    vf squares = vzero();
    for (int64_t c = 0; c < width; c += VW) {
      const int64_t left = width - c;
      const vf zv = loadTo(z + c, left);
      const vf v = vmul(vfma(loadTo(D + c, left), loadTo(x + c, left), loadTo(y + c, left)), vmul(zv, vsigmoid(zv)));
      storeTo(out + c, v, left);
      squares = vfma(v, v, squares);  // what lies beyond `left` is zero
    }
    if (s.kind == Mamba1) continue;
    const vf scale = vset1(meanScale(vsum(squares), width));
    for (int64_t c = 0; c < width; c += VW) {
      const int64_t left = width - c;
      storeTo(out + c, vmul(vmul(loadTo(out + c, left), scale), loadTo(layer.gateNorm + g * width + c, left)), left);
    }
  }
}

// All sequences' rows of one layer: x += mixer(norm(x)).
static void mix(const DecoderWeights& weights, const DecoderLayer& layer, int64_t stateAt, const DecoderCall& call,
                const Work& w) {
  const DecoderSizes& s = weights.sizes;
  const int64_t length = call.length, rows = call.sequences * length;
  const auto each = [&](int64_t n, int64_t work, auto&& f) {
    if (call.parallel && n > 1 && n * work > 65536)
      parallelRange(n, 1 + 16384 / work, f);
    else
      f(int64_t{0}, n);
  };
  each(rows, s.model, [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) norm(w.x + r * w.modelRow, layer.norm, w.u + r * w.uRow, s.model);
  });
  product({&layer.inProj, rows, w.u, w.uRow, w.proj, w.projRow, false}, call.parallel);

  const int64_t xAt = s.kind == Mamba2 ? s.inner : 0;
  each(call.sequences, length * s.convolved() * 8, [&](int64_t q0, int64_t q1) {
    for (int64_t q = q0; q < q1; ++q)
      for (int64_t t = 0; t < length; ++t) {
        const int64_t row = q * length + t;
        float* state = call.out[q] + stateAt;
        convolve(s, layer, w.proj + row * w.projRow + xAt, t ? state : call.in[q] + stateAt, state,
                 w.conv + row * w.convRow);
      }
  });
  if (s.kind == Mamba1) {
    product({&layer.xProj, rows, w.conv, w.convRow, w.low, w.lowRow, false}, call.parallel);
    product({&layer.dtProj, rows, w.low, w.lowRow, w.dt, w.dtRow, false}, call.parallel);
  }
  each(rows, s.inner * 4, [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) spread(s, layer, w, r);
  });

  const int64_t blocks = w.blockRow / SB, perGroup = groupWidth(s) / SB, blockFloats = s.states * SB;
  const int64_t statesAt = stateAt + convState(s);
  each(call.sequences * blocks, length * blockFloats * (s.kind == Mamba1 ? 4 : 1), [&](int64_t b0, int64_t b1) {
    for (int64_t b = b0; b < b1; ++b) {
      const int64_t q = b / blocks, block = b % blocks, row = q * length, g = block / perGroup, c = block * SB;
      const float* in = call.in[q] + statesAt + block * blockFloats;
      float* h = call.out[q] + statesAt + block * blockFloats;
      float* y = w.y + row * w.blockRow + c;
      const float* input = w.input + row * w.blockRow + c;
      if (s.kind == Mamba2) {
        const float* B = w.conv + row * w.convRow + s.inner + g * s.states;
        scanBlock<false>(s.states, length, in, h, w.decay + row * w.blockRow + c, w.blockRow, nullptr, input, B,
                         B + s.groups * s.states, w.convRow, y, w.blockRow);
      } else {
        const float* B = w.low + row * w.lowRow + s.rank;
        scanBlock<true>(s.states, length, in, h, w.dt + row * w.dtRow + c, w.dtRow, layer.A + block * blockFloats, input,
                        B, B + s.states, w.lowRow, y, w.blockRow);
      }
    }
  });
  each(rows, s.inner * 4, [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) gate(s, layer, w, r);
  });
  product({&layer.outProj, rows, w.u, w.uRow, w.x, w.modelRow, true}, call.parallel);
}

// Tokens have been checked by the caller.
static void run(const DecoderWeights& weights, const DecoderCall& call) {
  const DecoderSizes& s = weights.sizes;
  const int64_t rows = call.sequences * call.length;
  Work w;
  layout(s, rows, call.workspace, &w);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = weights.embedding + call.tokens[r] * s.model;
    float* x = w.x + r * w.modelRow;
    for (int64_t i = 0; i < s.model; i += VW) storeTo(x + i, loadTo(from + i, s.model - i), s.model - i);
    for (int64_t i = s.model; i < w.modelRow; ++i) x[i] = 0.0f;
  }
  for (int64_t i = 0; i < s.layers; ++i) mix(weights, weights.layers[i], i * layerState(s), call, w);
  int64_t asked = 0;
  for (int64_t q = 0; q < call.sequences; ++q)
    if (call.logits[q]) norm(w.x + ((q + 1) * call.length - 1) * w.modelRow, weights.normF, w.u + asked++ * w.uRow, s.model);
  if (asked == 0) return;
  product({&weights.head, asked, w.u, w.uRow, w.scores, w.scoreRow, false}, call.parallel);
  for (int64_t q = 0, i = 0; q < call.sequences; ++q)
    if (call.logits[q]) __builtin_memcpy(call.logits[q], w.scores + i++ * w.scoreRow, static_cast<size_t>(s.vocab) * 4);
}

}  // namespace decoder
}  // namespace NETSSM_ISA
}  // namespace netssm
