import type { NamedAttrMap, NamedTensorMap, Tensor } from '@tensorflow/tfjs';
import type { TF } from './engine';

/** How a kernel's gradient is made: what it needs of the forward pass, and the kernel calls it consists of. */
export interface KernelGradient {
  /** Names of the inputs that are kept for it, in the order that {@link gradient} gets them. */
  inputs: readonly string[];
  /** Which of the outputs are kept for it; default none. */
  outputs?: readonly boolean[];
  /**
   * Gradients by input. `dys` has one for each output of the kernel, `kept` the inputs and then the outputs named above.
   * An input whose gradient nobody can want may be left out.
   */
  gradient(dys: Tensor[], kept: Tensor[], attrs: NamedAttrMap): Record<string, () => Tensor>;
}

/** Registers the gradient of a kernel, once. */
export function registerKernelGradient(tf: TF, kernelName: string, config: KernelGradient): void {
  if (tf.getGradient(kernelName)) return;
  tf.registerGradient({
    kernelName,
    inputsToSave: [...config.inputs],
    outputsToSave: [...(config.outputs ?? [])],
    gradFunc: (dys, saved, attrs) => config.gradient([dys].flat() as Tensor[], saved, attrs),
  });
}

/** Runs a kernel of the active engine; one tensor for each output. */
export function callKernel(
  tf: TF,
  kernelName: string,
  inputs: NamedTensorMap,
  attrs: NamedAttrMap = {},
): Tensor[] {
  return [tf.engine().runKernel(kernelName, inputs, attrs) as Tensor | Tensor[]].flat();
}

/** The results of a gradient kernel under the names of the inputs that they belong to. */
export function namedResults(names: readonly string[], results: Tensor[]): Record<string, () => Tensor> {
  return Object.fromEntries(names.map((name, i) => [name, () => results[i]]));
}
