import { sizeOf, type NativeKernel, type NativeKernels } from '../kernel';

/** {x [B, K-1+L, C], weight [K, C], bias [C], segments? [B, K-1+L]} -> y [B, L, C]: see `causalConv1d` in tensor/. */
const causalConv: NativeKernel = ({ inputs: { x, weight, bias, segments }, backend }) => {
  const [B, padded, C] = x.shape;
  const K = weight.shape[0];
  const shape = [B, padded - K + 1, C];
  const out = backend.alloc('float32', sizeOf(shape));
  backend.addon.params.set([B, shape[1], C, K]);
  backend.addon.causalConv(
    backend.floats(x),
    backend.floats(weight),
    backend.floats(bias),
    segments ? backend.floats(segments) : null,
    out,
  );
  return backend.makeTensorInfo(shape, 'float32', out);
};

/** {dy, x, weight, segments?} -> dx, dWeight, dBias. */
const causalConvGrad: NativeKernel = ({ inputs: { dy, x, weight, segments }, backend }) => {
  const [B, padded, C] = x.shape;
  const K = weight.shape[0];
  const dx = backend.alloc('float32', sizeOf(x.shape));
  const dWeight = backend.alloc('float32', K * C);
  const dBias = backend.alloc('float32', C);
  backend.addon.params.set([B, padded - K + 1, C, K]);
  backend.addon.causalConvGrad(
    backend.floats(dy),
    backend.floats(x),
    backend.floats(weight),
    segments ? backend.floats(segments) : null,
    dx,
    dWeight,
    dBias,
  );
  return [
    backend.makeTensorInfo(x.shape, 'float32', dx),
    backend.makeTensorInfo(weight.shape, 'float32', dWeight),
    backend.makeTensorInfo([C], 'float32', dBias),
  ];
};

/** Kernels that tfjs does not have: the fused steps of a Mamba block. */
export const modelKernels: NativeKernels = {
  CausalConv1d: causalConv,
  CausalConv1dGrad: causalConvGrad,
};
