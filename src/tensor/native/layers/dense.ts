import type { Tensor } from '@tensorflow/tfjs-core';
import { REDUCE, UNARY } from '../addon';
import type { Tf } from '../index';
import { sizeOf, type NativeKernel, type NativeKernels } from '../kernel';
import { ACTIVATION, engineOf, onceDifferentiable, recording } from './engine';

/** What `call` reads of a `tf.layers.dense`. */
export interface DenseLayer {
  activation: { getClassName(): string } | null;
  kernel: { read(): Tensor };
  bias: { read(): Tensor } | null;
  invokeCallHook(inputs: Tensor | Tensor[], kwargs: object): void;
}

const SOFTMAX = ACTIVATION['softmax'];
const LINEAR = ACTIVATION['linear'];
/** Activations in place, as operation numbers of the unary kernel. */
const inPlace: Record<number, number> = {
  [ACTIVATION['tanh']]: UNARY.Tanh,
  [ACTIVATION['sigmoid']]: UNARY.Sigmoid,
  [ACTIVATION['relu']]: UNARY.Relu,
};

/** {x [..., n], kernel [n, m], bias? [m]} -> y [..., m]. */
const forward: NativeKernel = ({ inputs: { x, kernel, bias }, attrs, backend }) => {
  const { addon } = backend;
  const activation = attrs['activation'] as number;
  const [features, columns] = kernel.shape;
  const rows = sizeOf(x.shape) / features;
  const y = backend.alloc('float32', rows * columns);
  addon.params.set([0, 0, rows, columns, features, 1, 1, 1]);
  addon.gemm(backend.floats(x), backend.floats(kernel), y, bias ? backend.floats(bias) : null);
  if (activation === SOFTMAX) addon.softmax(0, y, y, rows, columns);
  else if (activation !== LINEAR) addon.unary(inPlace[activation], y, y, 0, 0);
  return backend.makeTensorInfo([...x.shape.slice(0, -1), columns], 'float32', y);
};

/** {dy, y} -> the gradient before the activation [rows, m], and its column sums [m]. */
const backward: NativeKernel = ({ inputs: { dy, y }, attrs, backend }) => {
  const columns = y.shape[y.shape.length - 1];
  const rows = sizeOf(y.shape) / columns;
  const dz = backend.alloc('float32', rows * columns);
  const dBias = backend.alloc('float32', columns);
  const activation = attrs['activation'] as number;
  backend.addon.activationGrad(activation, backend.floats(dy), backend.floats(y), dz, dBias, rows, columns);
  return [
    backend.makeTensorInfo([rows, columns], 'float32', dz),
    backend.makeTensorInfo([columns], 'float32', dBias),
  ];
};

/** The column sums alone, for the gradient of a linear layer's bias. */
const columnSums: NativeKernel = ({ inputs: { dy }, backend }) => {
  const columns = dy.shape[dy.shape.length - 1];
  const dBias = backend.alloc('float32', columns);
  const rows = sizeOf(dy.shape) / columns;
  backend.addon.reduce(REDUCE.Sum, backend.floats(dy), dBias, 1, rows, columns, 1);
  return backend.makeTensorInfo([columns], 'float32', dBias);
};

export const denseKernels: NativeKernels = {
  FusedDense: forward,
  FusedDenseGrad: backward,
  FusedDenseBiasGrad: columnSums,
};

/** A dense layer's `call` as one operation; undefined where it asks for more. */
export function callDense(
  tf: Tf,
  layer: DenseLayer,
  inputs: Tensor | Tensor[],
  kwargs: object,
): Tensor | undefined {
  const engine = engineOf(tf);
  const x = Array.isArray(inputs) ? (inputs.length === 1 ? inputs[0] : undefined) : inputs;
  const activation = ACTIVATION[layer.activation?.getClassName() ?? 'linear'];
  if (!x || activation === undefined || activation === ACTIVATION['hardSigmoid']) return undefined;
  if (!onceDifferentiable(engine) || x.dtype !== 'float32' || x.rank < 2 || x.size === 0) return undefined;
  const kernel = layer.kernel.read();
  if (x.shape[x.rank - 1] !== kernel.shape[0]) return undefined; // for tfjs's own message
  layer.invokeCallHook(inputs, kwargs);
  const attrs = { activation };
  const given = { x, kernel, ...(layer.bias ? { bias: layer.bias.read() } : {}) };
  if (!recording(engine)) return engine.runKernel('FusedDense', given, attrs) as Tensor;
  return engine.runKernelFunc({
    inputs: given,
    forwardFunc(_, save) {
      const y = engine.runKernel('FusedDense', given, attrs) as Tensor;
      save(activation === LINEAR ? [x, kernel] : [x, kernel, y]);
      return y;
    },
    backwardsFunc(dy, saved) {
      const [x, kernel, y] = saved;
      const rows = (t: Tensor) => (t.rank === 2 ? t : tf.reshape(t, [-1, t.shape[t.rank - 1]]));
      const [dz, dBias] = (
        activation === LINEAR ? [rows(dy as Tensor)] : engine.runKernel('FusedDenseGrad', { dy, y }, attrs)
      ) as Tensor[];
      const product = (a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean) =>
        engine.runKernel('BatchMatMul', { a, b }, { transposeA, transposeB }) as Tensor;
      return {
        x: () => {
          const dx = product(dz, kernel, false, true);
          return x.rank === 2 ? dx : tf.reshape(dx, x.shape);
        },
        kernel: () => product(rows(x), dz, true, false),
        bias: () => dBias ?? (engine.runKernel('FusedDenseBiasGrad', { dy: dz }) as Tensor),
      };
    },
  }) as Tensor;
}
