// The kernels of one instruction set, put together. Included once by each file of targets/.
#include "../memory.h"
#include "../kernels.h"
#include "../thread_pool.h"
#include "math.inl"
#include "gemm_tiles.inl"
#include "gemm.inl"
#include "elementwise.inl"
#include "reduce.inl"
#include "transpose.inl"
#include "conv.inl"
#include "depthwise.inl"
#include "pool.inl"
#include "causal.inl"

namespace netssm {
namespace NETSSM_ISA {

static const Kernels table = {
    NETSSM_ISA_NAME,       gemm::run,           elementwise::binary, elementwise::binaryInt, elementwise::compare,
    elementwise::unary,    elementwise::select, elementwise::addN,   reduction::reduce,      reduction::argReduce,
    reduction::softmax,    reduction::cumulate, elementwise::cast,   layout::transpose2d,    elementwise::fill,
    reduction::segmentSum, conv::forward,       conv::inputGrad,     conv::filterGrad,       depthwise::forward,
    depthwise::inputGrad,  depthwise::filterGrad, pooling::forward,  pooling::maxGrad,       pooling::avgGrad,
    causal::forward,       causal::gradient,
};

}  // namespace NETSSM_ISA
}  // namespace netssm
