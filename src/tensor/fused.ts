import type { KernelFunc, NamedTensorMap, Tensor, TensorInfo } from '@tensorflow/tfjs';
import type { TF } from './engine';

/*
 * Kernels of our own, written once as loops over typed arrays and registered under one name for every engine that
 * keeps its numbers in such arrays (cpu, wasm, and native, which takes cpu's unless it brings its own). An operation
 * asks with `hasKernel` and runs as a chain of tfjs's operations where the answer is no.
 */

/** What the three kinds of engine offer for reaching numbers in place. */
interface ArrayBackend {
  data?: { get(dataId: object): { values: Float32Array } }; // cpu
  makeTensorInfo?(shape: number[], dtype: 'float32', values: Float32Array): TensorInfo; // cpu, native
  floats?(info: TensorInfo): Float32Array; // native
  alloc?(dtype: 'float32', n: number): Float32Array; // native
  finish?(): void; // native
  typedArrayFromHeap?(info: TensorInfo): Float32Array; // wasm
  makeOutput?(shape: number[], dtype: 'float32'): TensorInfo; // wasm
}

type Inputs = Record<string, TensorInfo>;

/** A kernel: the shapes of its outputs, and the loop that fills them. Arrays come in under the inputs' names. */
export interface ArrayKernel {
  shapes(inputs: Inputs): number[][];
  run(arrays: Record<string, Float32Array>, outputs: Float32Array[], inputs: Inputs): void;
}

/** Registers a kernel for the engines that keep numbers in arrays. */
export function registerArrayKernel(tf: TF, kernelName: string, kernel: ArrayKernel): void {
  const kernelFunc = (call: { inputs: Inputs; backend: ArrayBackend }) => {
    const { inputs, backend } = call;
    // All outputs first: on wasm an allocation may move the memory under the arrays.
    const outputs = kernel.shapes(inputs).map((shape) => allocate(backend, shape));
    const arrays: Record<string, Float32Array> = {};
    for (const [name, info] of Object.entries(inputs)) if (info) arrays[name] = floats(backend, info);
    kernel.run(
      arrays,
      outputs.map((info) => floats(backend, info)),
      inputs,
    );
    backend.finish?.();
    return outputs.length === 1 ? outputs[0] : outputs;
  };
  for (const backendName of ['cpu', 'wasm']) {
    if (!tf.getKernel(kernelName, backendName)) {
      tf.registerKernel({ kernelName, backendName, kernelFunc: kernelFunc as unknown as KernelFunc });
    }
  }
}

/** Whether the active engine has a kernel of this name. */
export function hasKernel(tf: TF, kernelName: string): boolean {
  return tf.getKernel(kernelName, tf.getBackend()) !== undefined;
}

/** Runs a registered kernel; one tensor for each output. */
export function runKernel(tf: TF, kernelName: string, inputs: Record<string, Tensor | undefined>): Tensor[] {
  const given = Object.fromEntries(Object.entries(inputs).filter(([, tensor]) => tensor)) as NamedTensorMap;
  const result = tf.engine().runKernel(kernelName, given) as Tensor | Tensor[];
  return Array.isArray(result) ? result : [result];
}

function allocate(backend: ArrayBackend, shape: number[]): TensorInfo {
  // The cpu backend has a makeOutput too, with other arguments.
  if (backend.typedArrayFromHeap && backend.makeOutput) return backend.makeOutput(shape, 'float32');
  const n = shape.reduce((a, b) => a * b, 1);
  const values = backend.alloc ? backend.alloc('float32', n) : new Float32Array(n);
  return (backend.makeTensorInfo as NonNullable<ArrayBackend['makeTensorInfo']>)(shape, 'float32', values);
}

function floats(backend: ArrayBackend, info: TensorInfo): Float32Array {
  if (backend.typedArrayFromHeap) return backend.typedArrayFromHeap(info);
  if (backend.floats) return backend.floats(info);
  const { values } = (backend.data as NonNullable<ArrayBackend['data']>).get(info.dataId);
  // A cast to float32 may leave integers in place.
  return values instanceof Float32Array ? values : Float32Array.from(values as ArrayLike<number>);
}
