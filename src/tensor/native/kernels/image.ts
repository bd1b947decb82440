import { sizeOf, type NativeKernel, type NativeKernels } from '../kernel';

function resize(what: number): NativeKernel {
  return ({ inputs: { images }, attrs, backend }) => {
    if (images.dtype !== 'float32' || sizeOf(images.shape) === 0) return undefined;
    const [batch, inH, inW, channels] = images.shape;
    const [outH, outW] = attrs['size'] as [number, number];
    const shape = [batch, outH, outW, channels];
    const out = backend.alloc('float32', sizeOf(shape));
    const flags = [attrs['alignCorners'] ? 1 : 0, attrs['halfPixelCenters'] ? 1 : 0];
    backend.addon.params.set([batch, inH, inW, outH, outW, channels, ...flags]);
    if (out.length > 0) backend.addon.resize(what, backend.floats(images), out);
    return backend.makeTensorInfo(shape, 'float32', out);
  };
}

function resizeGrad(what: number): NativeKernel {
  return ({ inputs: { images, dy }, attrs, backend }) => {
    if (images.dtype !== 'float32' || dy.dtype !== 'float32' || sizeOf(dy.shape) === 0) return undefined;
    const [batch, inH, inW, channels] = images.shape;
    const [, outH, outW] = dy.shape;
    const out = backend.alloc('float32', sizeOf(images.shape));
    backend.addon.params.set([batch, inH, inW, outH, outW, channels, attrs['alignCorners'] ? 1 : 0, 0]);
    backend.addon.resize(what, backend.floats(dy), out);
    return backend.makeTensorInfo(images.shape, 'float32', out);
  };
}

export const imageKernels: NativeKernels = {
  ResizeNearestNeighbor: resize(0),
  ResizeBilinear: resize(1),
  ResizeNearestNeighborGrad: resizeGrad(2),
  ResizeBilinearGrad: resizeGrad(3),
};
