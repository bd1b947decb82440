// How the decoder's weights lie in memory. A matrix is cut in panels of two vectors of rows, column after column, so
// that a product reads it from end to end and every result is one chain of additions in the order of the columns:
// the same bits for one sequence and for many, for a token and for a run of tokens.

namespace netssm {
namespace NETSSM_ISA {
namespace decoder {

constexpr int64_t PW = 2 * VW;  // rows of a panel
constexpr int64_t SB = 4 * VW;  // channels of a block of the state, which is [block][states][SB]

static inline int64_t roundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Channels of a group, padded to whole blocks, and of all groups.
static inline int64_t groupWidth(const DecoderSizes& s) { return roundUp(s.inner / s.groups, SB); }
static inline int64_t paddedInner(const DecoderSizes& s) { return s.groups * groupWidth(s); }
// A layer's state: the last inputs of the convolution [taps - 1, convolved], padded, then the blocks.
static inline int64_t convState(const DecoderSizes& s) { return roundUp((s.taps - 1) * s.convolved(), 16); }
static inline int64_t layerState(const DecoderSizes& s) { return convState(s) + s.states * paddedInner(s); }

static inline uint16_t toBf16(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

// Two vectors of weights at p.
static inline void loadPair(const float* p, vf* a, vf* b) {
  *a = vload(p);
  *b = vload(p + VW);
}
// bf16 lies in pairs: lane l of the first vector in the lower half of word l, of the second in the upper.
static inline void loadPair(const uint16_t* p, vf* a, vf* b) {
#if defined(NETSSM_AVX512)
  const __m512i v = _mm512_loadu_si512(p);
  *a = _mm512_castsi512_ps(_mm512_slli_epi32(v, 16));
  *b = _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
#elif defined(NETSSM_AVX2)
  const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  *a = _mm256_castsi256_ps(_mm256_slli_epi32(v, 16));
  *b = _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32(static_cast<int>(0xffff0000u))));
#elif defined(NETSSM_NEON)
  const uint32x4_t v = vreinterpretq_u32_u16(vld1q_u16(p));
  *a = vreinterpretq_f32_u32(vshlq_n_u32(v, 16));
  *b = vreinterpretq_f32_u32(vandq_u32(v, vdupq_n_u32(0xffff0000u)));
#else
  const uint32_t low = static_cast<uint32_t>(p[0]) << 16, high = static_cast<uint32_t>(p[1]) << 16;
  __builtin_memcpy(a, &low, 4);
  __builtin_memcpy(b, &high, 4);
#endif
}
static inline void loadPair(const int8_t* p, vf* a, vf* b) {
#if defined(NETSSM_AVX512)
  *a = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  *b = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + VW))));
#elif defined(NETSSM_AVX2)
  *a = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  *b = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + VW))));
#elif defined(NETSSM_NEON)
  const int16x8_t v = vmovl_s8(vld1_s8(p));
  *a = vcvtq_f32_s32(vmovl_s16(vget_low_s16(v)));
  *b = vcvtq_f32_s32(vmovl_s16(vget_high_s16(v)));
#else
  *a = static_cast<float>(p[0]);
  *b = static_cast<float>(p[1]);
#endif
}

// Hands out memory; without any it only counts.
struct Arena {
  float* base;
  int64_t used = 0;
  float* take(int64_t floats) {
    float* p = base ? base + used : nullptr;
    used += roundUp(floats, 16);
    return p;
  }
};

static const float* copyOf(Arena& arena, const float* from, int64_t n) {
  float* to = arena.take(n);
  if (to)
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
  return to;
}

static DecoderMatrix packMatrix(Arena& arena, int format, const float* W, int64_t rows, int64_t columns) {
  const int64_t padded = roundUp(rows, PW), bytes = format == WeightsFloat32 ? 4 : format == WeightsBf16 ? 2 : 1;
  float* memory = arena.take((padded * columns * bytes + 3) / 4);
  float* scales = format == WeightsInt8 ? arena.take(padded) : nullptr;
  if (memory)
    parallelRange(padded / PW, 1 + 262144 / (PW * columns), [&](int64_t p0, int64_t p1) {
      for (int64_t r = p0 * PW; r < p1 * PW; ++r) {
        const int64_t lane = r % PW, at = r / PW * PW * columns;
        const float* row = W + r * columns;
        float most = 0;
        if (format == WeightsInt8) {
          for (int64_t k = 0; k < columns && r < rows; ++k) {
            const float a = row[k] < 0 ? -row[k] : row[k];
            if (a > most) most = a;
          }
          scales[r] = most / 127.0f;
        }
        for (int64_t k = 0; k < columns; ++k) {
          const float w = r < rows ? row[k] : 0.0f;
          if (format == WeightsFloat32) {
            memory[at + k * PW + lane] = w;
          } else if (format == WeightsBf16) {
            reinterpret_cast<uint16_t*>(memory)[at + k * PW + lane % VW * 2 + lane / VW] = toBf16(w);
          } else {
            const float q = most > 0 ? w / most * 127.0f : 0.0f;
            // A weight that is no number becomes 0 here: int8 cannot say it.
            reinterpret_cast<int8_t*>(memory)[at + k * PW + lane] =
                static_cast<int8_t>(q >= -127.0f && q <= 127.0f ? static_cast<int>(q < 0 ? q - 0.5f : q + 0.5f) : 0);
          }
        }
      }
    });
  return {format, rows, columns, memory, scales};
}

// A_log to -exp(A_log): Mamba-2 one number a head, Mamba-1 in the blocks of the state.
static const float* packA(Arena& arena, const DecoderSizes& s, const float* log) {
  if (s.kind == Mamba2) {
    float* to = arena.take(roundUp(s.heads, VW));
    if (to)
      for (int64_t h = 0; h < s.heads; ++h) to[h] = -__builtin_expf(log[h]);
    return to;
  }
  float* to = arena.take(s.states * paddedInner(s));
  if (to)
    for (int64_t c = 0; c < paddedInner(s); ++c)
      for (int64_t n = 0; n < s.states; ++n)
        to[(c / SB * s.states + n) * SB + c % SB] = c < s.inner ? -__builtin_expf(log[c * s.states + n]) : 0.0f;
  return to;
}

// D as one number a channel.
static const float* packD(Arena& arena, const DecoderSizes& s, const float* from) {
  float* to = arena.take(s.inner);
  const int64_t width = s.inner / s.heads;
  if (to)
    for (int64_t c = 0; c < s.inner; ++c) to[c] = from[c / width];
  return to;
}

// Places everything in w.memory, or, without tensors, only counts the floats.
static int64_t pack(DecoderWeights& w, const float* const* tensors) {
  const DecoderSizes& s = w.sizes;
  Arena arena{tensors ? w.memory : nullptr};
  w.stateFloats = s.layers * layerState(s);
  const auto tensor = [&](int64_t i) { return tensors ? tensors[i] : nullptr; };
  w.embedding = copyOf(arena, tensor(0), s.vocab * s.model);
  w.head = packMatrix(arena, s.format, tensor(0), s.vocab, s.model);
  w.normF = copyOf(arena, tensor(1), s.model);
  const int64_t conv = s.convolved();
  for (int64_t i = 0; i < s.layers; ++i) {
    DecoderLayer& layer = w.layers[i];
    int64_t at = 2 + i * s.tensorsPerLayer();
    layer.norm = copyOf(arena, tensor(at++), s.model);
    layer.inProj = packMatrix(arena, s.format, tensor(at++), s.projected(), s.model);
    const float* taps = tensor(at++);
    float* convWeight = arena.take(s.taps * conv);
    if (convWeight)
      for (int64_t c = 0; c < conv; ++c)
        for (int64_t k = 0; k < s.taps; ++k) convWeight[k * conv + c] = taps[c * s.taps + k];
    layer.convWeight = convWeight;
    layer.convBias = copyOf(arena, tensor(at++), conv);
    if (s.kind == Mamba1) {
      layer.xProj = packMatrix(arena, s.format, tensor(at++), s.rank + 2 * s.states, s.inner);
      layer.dtProj = packMatrix(arena, WeightsFloat32, tensor(at++), s.inner, s.rank);
    }
    layer.dtBias = copyOf(arena, tensor(at++), s.heads);
    layer.A = packA(arena, s, tensor(at++));
    layer.D = packD(arena, s, tensor(at++));
    if (s.kind == Mamba2) layer.gateNorm = copyOf(arena, tensor(at++), s.inner);
    layer.outProj = packMatrix(arena, s.format, tensor(at++), s.model, s.inner);
  }
  return arena.used;
}

}  // namespace decoder
}  // namespace NETSSM_ISA
}  // namespace netssm
