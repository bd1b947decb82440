import type { Tensor } from '@tensorflow/tfjs-core';
import type { Tf } from '../index';
import { sizeOf, type NativeKernel, type NativeKernels } from '../kernel';
import { engineOf, onceDifferentiable, recording } from './engine';

export type LossFunction = (target: Tensor, prediction: Tensor) => Tensor;

/** What `compile` leaves in a model. */
export interface CompiledModel {
  loss: unknown;
  outputNames: string[];
  lossFunctions: LossFunction[];
}

/** Numbers of `Loss` in `native/src/layers.h`, by the names that `compile` takes. */
const LOSS: Record<string, number> = { meanSquaredError: 0, categoricalCrossentropy: 1 };

/** {target, prediction} [..., n] -> [...]. */
const forward: NativeKernel = ({ inputs: { target, prediction }, attrs, backend }) => {
  const shape = prediction.shape.slice(0, -1);
  const rows = sizeOf(shape);
  const columns = prediction.shape[shape.length];
  const out = backend.alloc('float32', rows);
  const values = [target, prediction].map((t) => backend.floats(t));
  backend.addon.loss(attrs['kind'] as number, values[0], values[1], out, rows, columns);
  return backend.makeTensorInfo(shape, 'float32', out);
};

/** {dy [...], target, prediction} -> the gradient of the prediction. */
const backward: NativeKernel = ({ inputs: { dy, target, prediction }, attrs, backend }) => {
  const columns = prediction.shape[prediction.shape.length - 1];
  const n = sizeOf(prediction.shape);
  const dx = backend.alloc('float32', n);
  const [g, t, x] = [dy, target, prediction].map((v) => backend.floats(v));
  backend.addon.lossGrad(attrs['kind'] as number, g, t, x, dx, n / columns, columns);
  return backend.makeTensorInfo(prediction.shape, 'float32', dx);
};

export const lossKernels: NativeKernels = { FusedLoss: forward, FusedLossGrad: backward };

function fused(tf: Tf, kind: number, target: Tensor, prediction: Tensor): Tensor | undefined {
  const engine = engineOf(tf);
  if (!onceDifferentiable(engine) || prediction.rank < 1 || prediction.size === 0) return undefined;
  if (target.dtype !== 'float32' || prediction.dtype !== 'float32') return undefined;
  if (target.shape.join() !== prediction.shape.join()) return undefined;
  const attrs = { kind };
  if (!recording(engine)) return engine.runKernel('FusedLoss', { target, prediction }, attrs) as Tensor;
  return engine.runKernelFunc({
    inputs: { prediction },
    forwardFunc(_, save) {
      save([target, prediction]);
      return engine.runKernel('FusedLoss', { target, prediction }, attrs) as Tensor;
    },
    backwardsFunc(dy, [target, prediction]) {
      return {
        prediction: () => engine.runKernel('FusedLossGrad', { dy, target, prediction }, attrs) as Tensor,
      };
    },
  }) as Tensor;
}

/** Losses that were asked for by name become one operation; functions of the user's own stay what they are. */
export function fuseLosses(tf: Tf, model: CompiledModel, active: () => boolean): void {
  const named = (i: number): unknown => {
    const { loss } = model;
    if (typeof loss !== 'object' || loss === null) return loss;
    return Array.isArray(loss) ? loss[i] : (loss as Record<string, unknown>)[model.outputNames[i]];
  };
  model.lossFunctions = model.lossFunctions.map((original, i) => {
    const name = named(i);
    const kind = typeof name === 'string' ? LOSS[name] : undefined;
    if (kind === undefined) return original;
    return (target, prediction) =>
      (active() ? fused(tf, kind, target, prediction) : undefined) ?? original(target, prediction);
  });
}
