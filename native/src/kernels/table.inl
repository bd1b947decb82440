// The kernels of one instruction set, put together. Included once by each file of targets/.
#include "../memory.h"
#include "../kernels.h"
#include "../thread_pool.h"
#include "math.inl"
#include "scratch.inl"
#include "gemm_tiles.inl"
#include "gemm.inl"
#include "gemm_bf16.inl"
#include "elementwise.inl"
#include "reduce.inl"
#include "argmax.inl"
#include "softmax.inl"
#include "cumulate.inl"
#include "segment.inl"
#include "transpose.inl"
#include "conv.inl"
#include "window.inl"
#include "causal.inl"
#include "activation.inl"
#include "rnn.inl"
#include "optimizer.inl"
#include "loss.inl"
#include "norm.inl"
#include "causal_silu.inl"
#include "scan.inl"
#include "scan_chunks.inl"
#include "scan_forward.inl"
#include "scan_backward.inl"
#include "decoder_pack.inl"
#include "decoder_gemm.inl"
#include "decoder_run.inl"

namespace netssm {
namespace NETSSM_ISA {

static const Kernels table = {
    NETSSM_ISA_NAME,       gemm::run,           bf16::run,           bf16::level,
    elementwise::binary, elementwise::binaryInt, elementwise::compare,
    elementwise::unary,    elementwise::select, elementwise::addN,   reduction::reduce,      reduction::argReduce,
    reduction::softmax,    reduction::cumulate, elementwise::cast,   layout::transpose2d,    elementwise::fill,
    reduction::segmentSum,
    convolution::forward,  convolution::inputGrad,     convolution::filterGrad,
    window::depthwise,     window::depthwiseInputGrad, window::depthwiseFilterGrad,
    window::pool,          window::maxPoolGrad,        window::avgPoolGrad,
    causal::forward,       causal::gradient,
    activation::gradient,  rnn::forward,        rnn::backward,        optimizer::step,
    loss::rows,            loss::rowsGrad,
    decoder::pack,         decoder::workspace,  decoder::run,
    scan::forward,         scan::backward,
    norm::forward,         norm::backward,      causalSilu::forward,  causalSilu::backward,
    loss::tokens,          loss::tokensGrad,
};

}  // namespace NETSSM_ISA
}  // namespace netssm
