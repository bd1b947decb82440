import type { NamedTensorMap, Tensor, Variable } from '@tensorflow/tfjs-core';
import type { Tf } from '../index';

type Save = (tensors: Tensor[]) => void;
type Gradients = Record<string, () => Tensor>;

/** The parts of tfjs's engine that have no public type. */
export interface Engine {
  state: { gradientDepth: number; kernelDepth: number };
  registeredVariables: Record<string, Variable>;
  runKernel(name: string, inputs: object, attrs?: object): Tensor | Tensor[];
  /** An operation with several outputs and a gradient of its own: `tf.customGrad` allows one output. */
  runKernelFunc(call: {
    forwardFunc(backend: unknown, save: Save): Tensor | Tensor[];
    backwardsFunc(dys: Tensor | Tensor[], saved: Tensor[]): Gradients;
    inputs: NamedTensorMap;
  }): Tensor | Tensor[];
}

export function engineOf(tf: Tf): Engine {
  return tf.engine() as unknown as Engine;
}

/**
 * Whether an operation that has a gradient but no second one may run: not inside a gradient inside a gradient, as a
 * gradient penalty makes one.
 */
export function onceDifferentiable(engine: Engine): boolean {
  return engine.state.gradientDepth <= 1;
}

/** Whether somebody will ask for the gradient of what runs now. */
export function recording(engine: Engine): boolean {
  return engine.state.gradientDepth > 0 && engine.state.kernelDepth === 0;
}

/** Numbers of `Activation` in `native/src/layers.h`, by tfjs's class names. */
export const ACTIVATION: Record<string, number> = {
  linear: 0,
  tanh: 1,
  sigmoid: 2,
  hardSigmoid: 3,
  relu: 4,
  softmax: 5,
};
