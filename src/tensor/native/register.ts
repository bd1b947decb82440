import type { KernelFunc } from '@tensorflow/tfjs-core';
import type { Addon } from './addon';
import { NativeBackend } from './backend';
import type { Tf } from './index';
import type { KernelCall, NativeKernels } from './kernel';
import { convolutionKernels } from './kernels/convolution';
import { elementwiseKernels } from './kernels/elementwise';
import { fusedKernels } from './kernels/fused';
import { imageKernels } from './kernels/image';
import { layoutKernels } from './kernels/layout';
import { linearKernels } from './kernels/linear';
import { matmulKernels } from './kernels/matmul';
import { modelKernels } from './kernels/model';
import { reduceKernels } from './kernels/reduce';
import { scanKernels } from './kernels/scan';
import { installLayers } from './layers';
import { denseKernels } from './layers/dense';
import { lossKernels } from './layers/losses';
import { recurrentKernels } from './layers/recurrent';

/** Every kernel that runs natively, by tfjs's name. The rest is the cpu backend's. */
export const nativeKernels: NativeKernels = {
  ...convolutionKernels,
  ...elementwiseKernels,
  ...fusedKernels,
  ...imageKernels,
  ...layoutKernels,
  ...linearKernels,
  ...matmulKernels,
  ...modelKernels,
  ...reduceKernels,
  ...scanKernels,
  ...denseKernels,
  ...lossKernels,
  ...recurrentKernels,
};

/** Registers the backend and its kernels: all of cpu's under the new name first, then ours in their place. */
export function installBackend(tf: Tf, addon: Addon): void {
  tf.registerBackend('native', () => new NativeBackend(addon), 0);
  tf.copyRegisteredKernels('cpu', 'native');
  for (const [name, kernel] of Object.entries(nativeKernels)) {
    const inherited = tf.getKernel(name, 'cpu')?.kernelFunc as KernelFunc | undefined;
    if (inherited) tf.unregisterKernel(name, 'native');
    tf.registerKernel({
      kernelName: name,
      backendName: 'native',
      kernelFunc: (call) => {
        const own = call as unknown as KernelCall;
        try {
          const result = kernel(own);
          if (result !== undefined) return result;
        } finally {
          own.backend.finish();
        }
        if (!inherited) throw new Error(`${name} is not supported for these inputs on the native engine`);
        return inherited(call);
      },
    });
  }
  installLayers(tf);
}
