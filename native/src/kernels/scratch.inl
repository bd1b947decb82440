// Memory for intermediate results. Not std::vector: a template of the standard library compiled here for AVX-512 could
// be the one copy that the linker keeps for code that must run without.

namespace netssm {
namespace NETSSM_ISA {

// Memory of one call.
struct Memory {
  float* data;
  explicit Memory(int64_t floats) : data(alignedAlloc(static_cast<size_t>(floats))) {}
  ~Memory() { alignedFree(data); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
};

// Memory of a thread, kept between calls; `which` in [0, 3) tells apart what is in use at the same time.
static float* scratch(int which, size_t floats) {
  struct Buffer {
    float* data = nullptr;
    size_t size = 0;
    ~Buffer() { alignedFree(data); }
  };
  static thread_local Buffer buffers[3];
  Buffer& b = buffers[which];
  if (b.size < floats) {
    alignedFree(b.data);
    b.size = 0;
    b.data = alignedAlloc(floats);
    b.size = floats;
  }
  return b.data;
}

}  // namespace NETSSM_ISA
}  // namespace netssm
