import { BINARY, UNARY } from '../addon';
import type { NativeBackend } from '../backend';
import { broadcastShape, sizeOf, type NativeKernel, type NativeKernels, type TensorInfo } from '../kernel';
import { runBinary } from './elementwise';
import { broadcastTo } from './layout';

/**
 * op(A) op(B) over the two last dimensions of float32 tensors, the others broadcast; `bias` (as long as a row) is added
 * in the same call. `bf16`: with operands rounded to bfloat16.
 */
export function runMatMul(
  backend: NativeBackend,
  a: TensorInfo,
  b: TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
  bias?: Float32Array,
  bf16 = false,
): TensorInfo {
  const ra = a.shape.length;
  const rb = b.shape.length;
  if (ra < 2 || rb < 2)
    throw new Error(`Error in matMul: operands of rank ${ra} and ${rb}, at least 2 is needed`);
  const [m, ka] = transposeA ? [a.shape[ra - 1], a.shape[ra - 2]] : [a.shape[ra - 2], a.shape[ra - 1]];
  const [kb, n] = transposeB ? [b.shape[rb - 1], b.shape[rb - 2]] : [b.shape[rb - 2], b.shape[rb - 1]];
  if (ka !== kb)
    throw new Error(
      `Error in matMul: inner shapes (${ka}) and (${kb}) of Tensors with shapes ${a.shape} and ${b.shape} and ` +
        `transposeA=${transposeA} and transposeB=${transposeB} must match.`,
    );
  const outerA = a.shape.slice(0, -2);
  const outerB = b.shape.slice(0, -2);
  const outer = broadcastShape(outerA, outerB);
  const batch = sizeOf(outer);
  // The library repeats an operand as a whole; anything finer is written out first.
  const made: TensorInfo[] = [];
  const full = (x: TensorInfo, own: number[]): [TensorInfo, number] => {
    const count = sizeOf(own);
    if (count === batch || count === 1) return [x, count];
    const wide = broadcastTo(backend, x, [...outer, ...x.shape.slice(-2)]);
    made.push(wide);
    return [wide, batch];
  };
  const [fa, batchA] = full(a, outerA);
  const [fb, batchB] = full(b, outerB);
  const out = backend.alloc('float32', batch * m * n);
  if (out.length > 0) {
    const p = backend.addon.params;
    // One B for all: the batch is just more rows.
    const joined = batch > 1 && batchB === 1 && batchA === batch && !transposeA;
    p[0] = transposeA ? 1 : 0;
    p[1] = transposeB ? 1 : 0;
    p[2] = joined ? m * batch : m;
    p[3] = n;
    p[4] = ka;
    p[5] = joined ? 1 : batch;
    p[6] = joined ? 1 : Math.max(1, batchA);
    p[7] = Math.max(1, batchB);
    const [x, y] = [backend.floats(fa), backend.floats(fb)];
    if (bf16) backend.addon.gemmBf16(x, y, out, bias ?? null);
    else backend.addon.gemm(x, y, out, bias ?? null);
  }
  for (const t of made) backend.disposeIntermediateTensorInfo(t);
  return backend.makeTensorInfo([...outer, m, n], 'float32', out);
}

const batchMatMul: NativeKernel = ({ inputs: { a, b }, attrs, backend }) =>
  a.dtype === 'float32' && b.dtype === 'float32'
    ? runMatMul(backend, a, b, !!attrs['transposeA'], !!attrs['transposeB'])
    : undefined;

const matMulBf16: NativeKernel = ({ inputs: { a, b }, attrs, backend }) =>
  runMatMul(backend, a, b, !!attrs['transposeA'], !!attrs['transposeB'], undefined, true);

/** Activations that tfjs fuses, as operation numbers of the unary kernel. */
export const activations: Record<string, number> = {
  relu: UNARY.Relu,
  relu6: UNARY.Relu6,
  elu: UNARY.Elu,
  sigmoid: UNARY.Sigmoid,
  leakyrelu: UNARY.LeakyRelu,
};

/** x, with the bias added and the activation applied in place where the dtype allows; x must be fresh. */
export function biasAndActivation(
  backend: NativeBackend,
  x: TensorInfo,
  bias: TensorInfo | undefined,
  activation: string | undefined,
  leakyreluAlpha: number | undefined,
): TensorInfo {
  let current = x;
  if (bias) {
    const sum = runBinary(backend, BINARY.Add, current, bias);
    if (!sum) throw new Error('fused bias of more than eight dimensions');
    backend.disposeIntermediateTensorInfo(current);
    current = sum;
  }
  if (activation && activation !== 'linear') {
    const values = backend.floats(current);
    backend.addon.unary(activations[activation], values, values, leakyreluAlpha ?? 0, 0);
  }
  return current;
}

const fusedMatMul: NativeKernel = ({ inputs: { a, b, bias, preluActivationWeights }, attrs, backend }) => {
  const activation = attrs['activation'] as string | undefined;
  if (a.dtype !== 'float32' || b.dtype !== 'float32' || preluActivationWeights) return undefined;
  if (activation && activation !== 'linear' && activations[activation] === undefined) return undefined;
  if (bias && bias.dtype !== 'float32') return undefined;
  const columns = attrs['transposeB'] ? b.shape[b.shape.length - 2] : b.shape[b.shape.length - 1];
  const row =
    bias !== undefined && sizeOf(bias.shape) === columns && bias.shape[bias.shape.length - 1] === columns;
  const product = runMatMul(
    backend,
    a,
    b,
    !!attrs['transposeA'],
    !!attrs['transposeB'],
    row ? backend.floats(bias) : undefined,
  );
  return biasAndActivation(
    backend,
    product,
    row ? undefined : bias,
    activation,
    attrs['leakyreluAlpha'] as number | undefined,
  );
};

export const matmulKernels: NativeKernels = {
  BatchMatMul: batchMatMul,
  _FusedMatMul: fusedMatMul,
  MatMulBf16: matMulBf16,
};
