#define NETSSM_ISA scalar
#define NETSSM_ISA_NAME "scalar"
#define NETSSM_SCALAR 1
#include "../isa/scalar.h"
#include "../kernels/table.inl"

namespace netssm {
const Kernels* kernelsScalar() { return &scalar::table; }
}  // namespace netssm
