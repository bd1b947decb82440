import type { KernelFunc, NamedTensorInfoMap, TensorInfo, DataType } from '@tensorflow/tfjs';
import type { TF } from './engine';
import { replaceWasmKernels } from './wasmKernels';

/** Kernels on complex numbers stay away: the wasm backend cannot hold them. */
const COMPLEX = new Set(['Complex', 'Real', 'Imag', 'ComplexAbs', 'FFT', 'IFFT']);

/** The part of a tfjs backend that moves data. */
interface Storage {
  readSync(dataId: object): Float32Array | Int32Array | Uint8Array;
  makeTensorInfo?(shape: number[], dtype: DataType, values?: unknown): TensorInfo;
  write(values: unknown, shape: number[], dtype: DataType): object;
  disposeData(dataId: object, force?: boolean): boolean;
}

/**
 * Registers tfjs's WebAssembly backend and lends it, through copies, those kernels of the plain cpu backend that it
 * lacks (the gradients of gather and of convolutions, Einsum ...), so that everything runs, the common things fast.
 * @returns why it is not usable, or an empty string.
 */
export async function registerWasm(tf: TF, load: (id: string) => unknown): Promise<string> {
  try {
    load('@tensorflow/tfjs-backend-wasm');
    if (!(await tf.setBackend('wasm'))) return 'tfjs could not start it';
    await tf.ready();
  } catch (error) {
    return (error as Error).message.split('\n')[0];
  }
  replaceWasmKernels(tf);
  borrowKernels(tf, 'wasm');
  return '';
}

/** Gives backend `to` every kernel of `cpu` that it lacks; returns their names. */
export function borrowKernels(tf: TF, to: string): string[] {
  const borrowed: string[] = [];
  for (const { kernelName, kernelFunc } of tf.getKernelsForBackend('cpu')) {
    if (COMPLEX.has(kernelName) || tf.getKernel(kernelName, to)) continue;
    tf.registerKernel({ kernelName, backendName: to, kernelFunc: lend(tf, kernelFunc) });
    borrowed.push(kernelName);
  }
  return borrowed;
}

/** The cpu kernel between two copies: inputs out of the caller's memory, outputs back into it. */
function lend(tf: TF, kernelFunc: KernelFunc): KernelFunc {
  return ({ inputs, attrs, backend }) => {
    const cpu = tf.findBackend('cpu') as unknown as Storage;
    const home = backend as unknown as Storage;
    const guests: TensorInfo[] = [];
    const visit = (info: TensorInfo): TensorInfo => {
      const values = home.readSync(info.dataId);
      const guest = {
        dataId: cpu.write(values, info.shape, info.dtype),
        shape: info.shape,
        dtype: info.dtype,
      };
      guests.push(guest);
      return guest;
    };
    // Kernels like Einsum take their inputs as an array, others as named ones, some of which are arrays.
    const visitAll = (value: unknown): unknown =>
      Array.isArray(value) ? value.map(visitAll) : value ? visit(value as TensorInfo) : value;
    const visited = Array.isArray(inputs)
      ? visitAll(inputs)
      : Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, visitAll(value)]));
    const result = kernelFunc({ inputs: visited as NamedTensorInfoMap, attrs, backend: cpu as never });
    const results = Array.isArray(result) ? result : [result];
    const outputs = results.map(({ dataId, shape, dtype }) => ({
      dataId: home.write(cpu.readSync(dataId), shape, dtype),
      shape,
      dtype,
    }));
    for (const { dataId } of [...guests, ...results]) cpu.disposeData(dataId, true);
    return Array.isArray(result) ? outputs : outputs[0];
  };
}
