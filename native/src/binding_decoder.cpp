// The decoder as a JavaScript class. Packed weights are shared by all environments of the process (worker threads find
// them by number); each object has a workspace of its own, so objects of different threads never meet.
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "arguments.h"
#include "decoder.h"
#include "kernels.h"
#include "memory.h"

namespace {

using namespace netssm;

// Packed weights by number, as long as somebody holds them.
std::mutex& registryMutex() {
  static std::mutex* m = new std::mutex;
  return *m;
}
std::map<int64_t, std::weak_ptr<DecoderWeights>>& registry() {
  static auto* r = new std::map<int64_t, std::weak_ptr<DecoderWeights>>;
  return *r;
}

// [kind, format, d_model, n_layer, vocab, d_inner, d_state, d_conv, heads, groups, rank]
DecoderSizes readSizes(const Napi::CallbackInfo& info) {
  const int32_t* p = ints(info, 0, 11);
  for (int i = 2; i < 10; ++i)
    if (p[i] < 1 || p[i] > (1 << 20)) fail(info.Env(), "decoder: size " + std::to_string(i) + " is " + std::to_string(p[i]));
  DecoderSizes s{p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10]};
  if (s.kind != Mamba1 && s.kind != Mamba2) fail(info.Env(), "decoder: layers of kind " + std::to_string(s.kind));
  if (s.format < 0 || s.format >= WeightFormats) fail(info.Env(), "decoder: weight format " + std::to_string(s.format));
  if (s.layers > 4096) fail(info.Env(), "decoder: too many layers");
  if (s.inner % s.heads || s.heads % s.groups) fail(info.Env(), "decoder: heads must divide channels, groups heads");
  if (s.kind == Mamba1 ? s.rank < 1 || s.rank > (1 << 20) || s.heads != s.inner || s.groups != 1 : s.rank != 0)
    fail(info.Env(), "decoder: sizes do not fit the kind of layer");
  int64_t total = 0;
  for (int64_t i = 0; i < 2 + s.tensorsPerLayer(); ++i) {
    total += decoderTensorLength(s, i) * (i < 2 ? 1 : s.layers);
    if (total > (int64_t{1} << 36)) fail(info.Env(), "decoder: the model is too large");
  }
  return s;
}

class Decoder : public Napi::ObjectWrap<Decoder> {
 public:
  // new Decoder(sizes, tensors), or new Decoder(id) of one that is alive, in any thread.
  explicit Decoder(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Decoder>(info) {
    if (info.Length() > 0 && info[0].IsNumber()) {
      id_ = number(info, 0);
      std::lock_guard<std::mutex> lock(registryMutex());
      const auto found = registry().find(id_);
      if (found != registry().end()) weights_ = found->second.lock();
      if (!weights_) fail(info.Env(), "there is no decoder " + std::to_string(id_));
      return;
    }
    const DecoderSizes sizes = readSizes(info);
    if (!info[1].IsArray()) throw Napi::TypeError::New(info.Env(), "native: argument 1 is not an array");
    const Napi::Array list = info[1].As<Napi::Array>();
    const int64_t count = 2 + sizes.layers * sizes.tensorsPerLayer();
    if (list.Length() != count)
      fail(info.Env(), "decoder: " + std::to_string(list.Length()) + " tensors, " + std::to_string(count) + " are needed");
    std::vector<Napi::Value> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(list.Get(static_cast<uint32_t>(i)));
    std::vector<const float*> tensors;
    for (int64_t i = 0; i < count; ++i)
      tensors.push_back(floatsOf(info.Env(), values[static_cast<size_t>(i)], decoderTensorLength(sizes, i), "tensor", i));
    try {
      weights_ = packDecoder(sizes, tensors.data());
    } catch (const std::bad_alloc&) {
      fail(info.Env(), "decoder: not enough memory for the weights");
    }
    std::lock_guard<std::mutex> lock(registryMutex());
    static int64_t next = 1;
    id_ = next++;
    registry()[id_] = weights_;
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), weights_->memoryFloats * 4);
    charged_ = weights_->memoryFloats * 4;
  }

  ~Decoder() override {
    alignedFree(workspace_);
    weights_.reset();
    std::lock_guard<std::mutex> lock(registryMutex());
    const auto found = registry().find(id_);
    if (found != registry().end() && found->second.expired()) registry().erase(found);
  }

  void Finalize(Napi::Env env) override {
    if (charged_) Napi::MemoryManagement::AdjustExternalMemory(env, -charged_);
  }

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Decoder",
                       {InstanceMethod("run", &Decoder::run), InstanceAccessor<&Decoder::id>("id"),
                        InstanceAccessor<&Decoder::stateLength>("stateLength"),
                        InstanceAccessor<&Decoder::bytes>("bytes")});
  }

 private:
  std::shared_ptr<DecoderWeights> weights_;
  int64_t id_ = 0, charged_ = 0;
  float* workspace_ = nullptr;
  int64_t workspaceFloats_ = 0;

  Napi::Value id(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), static_cast<double>(id_)); }
  Napi::Value stateLength(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(weights_->stateFloats));
  }
  Napi::Value bytes(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(weights_->memoryFloats * 4));
  }

  static float* floatsOf(Napi::Env env, napi_value value, int64_t least, const char* what, int64_t i) {
    napi_typedarray_type type = napi_int8_array;
    size_t length = 0;
    void* data = nullptr;
    if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok || type != napi_float32_array)
      throw Napi::TypeError::New(env, std::string("native: ") + what + " " + std::to_string(i) + " is not a Float32Array");
    if (static_cast<int64_t>(length) < least)
      fail(env, std::string("decoder: ") + what + " " + std::to_string(i) + " holds " + std::to_string(length) +
                    " values, " + std::to_string(least) + " are needed (a detached buffer holds none)");
    return static_cast<float*>(data);
  }

  static Napi::Array listOf(const Napi::CallbackInfo& info, size_t i, int64_t length) {
    if (!info[i].IsArray()) throw Napi::TypeError::New(info.Env(), "native: argument " + std::to_string(i) + " is not an array");
    const Napi::Array list = info[i].As<Napi::Array>();
    if (list.Length() != length)
      fail(info.Env(), "decoder: argument " + std::to_string(i) + " has " + std::to_string(list.Length()) +
                           " entries, " + std::to_string(length) + " are needed");
    return list;
  }

  // run(tokens, length, from, to, logits, parallel): `length` tokens of each of from.length sequences.
  void run(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const int64_t length = count(info, 1);
    if (!info[2].IsArray()) throw Napi::TypeError::New(env, "native: argument 2 is not an array");
    const int64_t sequences = info[2].As<Napi::Array>().Length();
    if (sequences < 1 || sequences > kDecoderSequences || length < 1 || length > kDecoderRows ||
        sequences * length > kDecoderRows)
      fail(env, "decoder: " + std::to_string(sequences) + " sequences of " + std::to_string(length) +
                    " tokens; at most " + std::to_string(kDecoderSequences) + " sequences and " +
                    std::to_string(kDecoderRows) + " tokens");
    const Napi::Array from = listOf(info, 2, sequences), to = listOf(info, 3, sequences), scores = listOf(info, 4, sequences);
    const float* in[kDecoderSequences];
    float *out[kDecoderSequences], *logits[kDecoderSequences];
    // Every entry first, then what they point to: an accessor might detach a buffer.
    Napi::Value arrays[3][kDecoderSequences];
    for (int64_t q = 0; q < sequences; ++q) {
      const uint32_t i = static_cast<uint32_t>(q);
      arrays[0][q] = from.Get(i);
      arrays[1][q] = to.Get(i);
      arrays[2][q] = scores.Get(i);
    }
    const bool parallel = info[5].ToBoolean();
    const int32_t* tokens = ints(info, 0, sequences * length);
    const DecoderSizes& sizes = weights_->sizes;
    for (int64_t i = 0; i < sequences * length; ++i)
      if (tokens[i] < 0 || tokens[i] >= sizes.vocab)
        fail(env, "decoder: token " + std::to_string(tokens[i]) + " is not in 0.." + std::to_string(sizes.vocab - 1));
    for (int64_t q = 0; q < sequences; ++q) {
      in[q] = floatsOf(env, arrays[0][q], weights_->stateFloats, "state", q);
      out[q] = floatsOf(env, arrays[1][q], weights_->stateFloats, "state", q);
      const Napi::Value score = arrays[2][q];
      logits[q] = score.IsNull() || score.IsUndefined() ? nullptr : floatsOf(env, score, sizes.vocab, "logits", q);
    }
    const int64_t n = weights_->stateFloats;
    for (int64_t q = 0; q < sequences; ++q)
      for (int64_t o = 0; o < sequences; ++o)
        if (o != q && (overlap(out[q], out[o], n) || overlap(out[q], in[o], n)))
          fail(env, "decoder: sequences " + std::to_string(q) + " and " + std::to_string(o) + " share a state");
    const int64_t needed = decoderWorkspace(*weights_, sequences * length);
    try {
      if (needed > workspaceFloats_) {
        alignedFree(workspace_);
        workspace_ = nullptr;
        workspaceFloats_ = 0;
        workspace_ = alignedAlloc(static_cast<size_t>(needed));
        workspaceFloats_ = needed;
      }
      weights_->kernels->decoderRun(*weights_, {sequences, length, tokens, in, out, logits, parallel, workspace_});
    } catch (const std::bad_alloc&) {
      fail(env, "decoder: not enough memory");
    }
  }

  // What one sequence writes may not be what another reads or writes.
  static bool overlap(const float* a, const float* b, int64_t n) { return a < b + n && b < a + n; }
};

// Where an ArrayBuffer begins, modulo 64: states at whole cache lines are faster.
Napi::Value misalignment(const Napi::CallbackInfo& info) {
  const Span s = anySpan(info, 0);
  return Napi::Number::New(info.Env(), static_cast<double>(reinterpret_cast<uintptr_t>(s.data) % 64));
}

}  // namespace

namespace netssm {

void addDecoder(Napi::Env env, Napi::Object exports) {
  exports.Set("Decoder", Decoder::define(env));
  exports.Set("misalignment", Napi::Function::New(env, misalignment, "misalignment"));
}

}  // namespace netssm
