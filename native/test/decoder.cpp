// The decoder against the recurrences in double precision: random small models of both kinds, one sequence and many, in
// runs and token by token.
#include <cstring>

#include "../src/decoder.h"
#include "harness.h"

namespace {

using Doubles = std::vector<double>;

double silu(double v) { return v / (1 + std::exp(-v)); }
double softplus(double v) { return v > 20 ? v : std::log1p(std::exp(v)); }

// One sequence, everything in double.
struct Reference {
  const DecoderSizes& s;
  const std::vector<Floats>& tensors;
  std::vector<Doubles> conv, ssm;

  Reference(const DecoderSizes& sizes, const std::vector<Floats>& t) : s(sizes), tensors(t) {
    conv.assign(static_cast<size_t>(s.layers), Doubles(static_cast<size_t>((s.taps - 1) * s.convolved())));
    ssm.assign(static_cast<size_t>(s.layers), Doubles(static_cast<size_t>(s.inner * s.states)));
  }

  static Doubles times(const Floats& W, const Doubles& x, int64_t rows, int64_t columns) {
    Doubles y(static_cast<size_t>(rows));
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t k = 0; k < columns; ++k) y[static_cast<size_t>(r)] += W[r * columns + k] * x[static_cast<size_t>(k)];
    return y;
  }
  static void norm(Doubles& x, const Floats& weight, size_t from, size_t n) {
    double squares = 0;
    for (size_t i = 0; i < n; ++i) squares += x[from + i] * x[from + i];
    const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
    for (size_t i = 0; i < n; ++i) x[from + i] *= scale * weight[static_cast<int64_t>(from + i)];
  }

  Doubles step(int32_t token) {
    Doubles x;
    for (int64_t i = 0; i < s.model; ++i) x.push_back(tensors[0][token * s.model + i]);
    for (int64_t l = 0; l < s.layers; ++l) {
      const Floats* t = &tensors[static_cast<size_t>(2 + l * s.tensorsPerLayer())];
      Doubles u = x;
      norm(u, t[0], 0, u.size());
      const Doubles proj = times(t[1], u, s.projected(), s.model);
      const bool two = s.kind == Mamba2;
      const int64_t C = s.convolved(), xAt = two ? s.inner : 0, zAt = two ? 0 : s.inner;
      Doubles xc, &past = conv[static_cast<size_t>(l)];
      for (int64_t c = 0; c < C; ++c) {
        double sum = t[3][c];
        for (int64_t k = 0; k < s.taps; ++k)
          sum += t[2][c * s.taps + k] *
                 (k + 1 < s.taps ? past[static_cast<size_t>(k * C + c)] : proj[static_cast<size_t>(xAt + c)]);
        xc.push_back(silu(sum));
      }
      past.insert(past.end(), proj.begin() + xAt, proj.begin() + xAt + C);
      past.erase(past.begin(), past.begin() + C);
      const Doubles low = two ? Doubles() : times(t[4], xc, s.rank + 2 * s.states, s.inner);
      const Doubles dtIn = two ? Doubles(proj.begin() + s.inner + C, proj.end()) : times(t[5], low, s.inner, s.rank);
      const Floats &bias = two ? t[4] : t[6], &A = two ? t[5] : t[7], &D = two ? t[6] : t[8];
      Doubles y;
      for (int64_t c = 0; c < s.inner; ++c) {
        const int64_t head = c / (s.inner / s.heads), group = c / (s.inner / s.groups);
        const double dt = softplus(dtIn[static_cast<size_t>(head)] + bias[head]);
        double sum = 0;
        for (int64_t n = 0; n < s.states; ++n) {
          const double a = -std::exp(static_cast<double>(two ? A[head] : A[c * s.states + n]));
          const double B = two ? xc[static_cast<size_t>(s.inner + group * s.states + n)] : low[static_cast<size_t>(s.rank + n)];
          const double Cn = two ? xc[static_cast<size_t>(s.inner + (s.groups + group) * s.states + n)]
                                : low[static_cast<size_t>(s.rank + s.states + n)];
          double& h = ssm[static_cast<size_t>(l)][static_cast<size_t>(c * s.states + n)];
          h = std::exp(dt * a) * h + dt * xc[static_cast<size_t>(c)] * B;
          sum += h * Cn;
        }
        y.push_back((sum + D[head] * xc[static_cast<size_t>(c)]) * silu(proj[static_cast<size_t>(zAt + c)]));
      }
      const size_t width = static_cast<size_t>(s.inner / s.groups);
      if (two)
        for (size_t g = 0; g < static_cast<size_t>(s.groups); ++g) norm(y, t[7], g * width, width);
      const Doubles out = times(t[two ? 8 : 9], y, s.model, s.inner);
      for (size_t i = 0; i < x.size(); ++i) x[i] += out[i];
    }
    norm(x, tensors[1], 0, x.size());
    return times(tensors[0], x, s.vocab, s.model);
  }
};

void run(const DecoderWeights& w, int64_t sequences, int64_t length, const int32_t* tokens, std::vector<Floats>& from,
         std::vector<Floats>& to, std::vector<Floats>& scores, bool parallel) {
  Floats workspace(decoderWorkspace(w, sequences * length));
  std::vector<const float*> in;
  std::vector<float*> out, logits;
  for (int64_t q = 0; q < sequences; ++q) {
    in.push_back(from[static_cast<size_t>(q)].get());
    out.push_back(to[static_cast<size_t>(q)].get());
    logits.push_back(scores[static_cast<size_t>(q)].get());
  }
  w.kernels->decoderRun(w, {sequences, length, tokens, in.data(), out.data(), logits.data(), parallel, workspace.get()});
}

std::vector<Floats> arrays(int64_t n, int64_t size) {
  std::vector<Floats> list;
  for (int64_t i = 0; i < n; ++i) list.emplace_back(size);
  return list;
}

void same(const char* what, const Floats& a, const Floats& b) {
  ++checks;
  if (std::memcmp(a.data, b.data, static_cast<size_t>(a.size) * 4)) {
    ++failures;
    std::printf("FAILED decoder (%s): %s\n", kernels().name, what);
  }
}

std::vector<Floats> randomTensors(Random& r, const DecoderSizes& s) {
  std::vector<Floats> tensors;
  for (int64_t i = 0; i < 2 + s.layers * s.tensorsPerLayer(); ++i)
    tensors.push_back(random(r, decoderTensorLength(s, i), -0.5f, 0.5f));
  return tensors;
}

std::shared_ptr<DecoderWeights> pack(const DecoderSizes& s, const std::vector<Floats>& tensors) {
  std::vector<const float*> pointers;
  for (const Floats& t : tensors) pointers.push_back(t.data);
  return packDecoder(s, pointers.data());
}

void testModel(Random& r, const DecoderSizes& s) {
  const std::vector<Floats> tensors = randomTensors(r, s);
  const auto weights = pack(s, tensors);
  const DecoderWeights& w = *weights;

  const int64_t length = 1 + r.below(12), sequences = 1 + r.below(20);
  Array<int32_t> tokens(length);
  for (int64_t t = 0; t < length; ++t) tokens[t] = r.below(static_cast<int>(s.vocab));
  auto states = arrays(1, w.stateFloats), other = arrays(1, w.stateFloats), many = arrays(sequences, w.stateFloats);
  auto scores = arrays(1, s.vocab), run1 = arrays(1, s.vocab), manyScores = arrays(sequences, s.vocab);
  Reference reference(s, tensors);
  for (int64_t t = 0; t < length; ++t) {
    run(w, 1, 1, &tokens[t], t % 2 ? other : states, t % 2 ? states : other, scores, false);
    const Doubles expected = reference.step(tokens[t]);
    if (s.format == WeightsFloat32) check("decoder", scores[0].get(), expected, 1e-4);
    // Neighbours: the same tokens at both ends, others between.
    Array<int32_t> row(sequences);
    for (int64_t q = 0; q < sequences; ++q)
      row[q] = q == 0 || q == sequences - 1 ? tokens[t] : r.below(static_cast<int>(s.vocab));
    run(w, sequences, 1, row.get(), many, many, manyScores, true);
    same("many sequences", scores[0], manyScores[0]);
    same("the last of many", scores[0], manyScores[static_cast<size_t>(sequences - 1)]);
  }
  auto prefilled = arrays(1, w.stateFloats);
  run(w, 1, length, tokens.get(), prefilled, prefilled, run1, true);
  same("a run of tokens", scores[0], run1[0]);
  same("the state after it", length % 2 ? other[0] : states[0], prefilled[0]);
}

// A call so large that every step of a layer is shared among threads, against each sequence alone.
void testShared(Random& r, const DecoderSizes& s) {
  const auto weights = pack(s, randomTensors(r, s));
  const DecoderWeights& w = *weights;
  const int64_t sequences = 16, length = kDecoderRows / sequences;
  Array<int32_t> tokens(sequences * length);
  for (int64_t i = 0; i < tokens.size; ++i) tokens[i] = r.below(static_cast<int>(s.vocab));
  auto states = arrays(sequences, w.stateFloats), scores = arrays(sequences, s.vocab);
  run(w, sequences, length, tokens.get(), states, states, scores, true);
  for (const int64_t q : {int64_t{0}, int64_t{7}, sequences - 1}) {
    auto alone = arrays(1, w.stateFloats), own = arrays(1, s.vocab);
    run(w, 1, length, &tokens[q * length], alone, alone, own, false);
    same("one of many runs", own[0], scores[static_cast<size_t>(q)]);
    same("the state of one of many runs", alone[0], states[static_cast<size_t>(q)]);
  }
}

}  // namespace

void testDecoder(Random& r) {
  for (int round = 0; round < 8; ++round)
    for (int format = 0; format < WeightFormats; ++format) {
      DecoderSizes s{};
      s.format = format;
      s.kind = round % 2 ? Mamba1 : Mamba2;
      s.model = 1 + r.below(round == 6 ? 140 : 40);
      s.layers = 1 + r.below(2);
      s.vocab = 2 + r.below(70);
      s.states = 1 + r.below(20);
      s.taps = 1 + r.below(4);
      s.groups = s.kind == Mamba2 ? 1 + r.below(2) : 1;
      const int64_t headsPerGroup = 1 + r.below(3), width = 1 + r.below(40);
      s.inner = s.groups * headsPerGroup * width;
      s.heads = s.kind == Mamba2 ? s.groups * headsPerGroup : s.inner;
      s.rank = s.kind == Mamba2 ? 0 : 1 + r.below(5);
      testModel(r, s);
    }
  for (int kind : {Mamba1, Mamba2})
    for (int format = 0; format < WeightFormats; ++format) {
      const bool two = kind == Mamba2;
      testShared(r, {kind, format, 260, 1, 40, 72, 9, 4, two ? 3 : 72, 1, two ? 0 : 5});
    }
}
