import type { NativeBackend } from '../backend';
import { sizeOf, writeBox, type KernelCall, type NativeKernel, type NativeKernels } from '../kernel';

/** Parts that are together no wider than this are one product, cut afterwards: narrow products waste the registers. */
const JOINED = 256;

function product(
  { backend: { addon }, attrs }: KernelCall,
  [transA, transB]: [boolean, boolean],
  [m, n, k]: [number, number, number],
  a: Float32Array,
  b: Float32Array,
  out: Float32Array,
): void {
  addon.params.set([Number(transA), Number(transB), m, n, k, 1, 1, 1]);
  if (attrs['bf16']) addon.gemmBf16(a, b, out, null);
  else addon.gemm(a, b, out, null);
}

/** Copies a block of columns between two matrices of `rows` rows. */
function copyColumns(
  { addon }: NativeBackend,
  rows: number,
  width: number,
  from: { values: Float32Array; row: number; column: number },
  to: { values: Float32Array; row: number; column: number },
): void {
  if (writeBox(addon.params, [rows, width], [from.row, 1], [to.row, 1]))
    addon.stridedCopy(from.values, from.column, to.values, to.column);
}

/** {x [..., n], W [m, n]}, attributes sizes and bf16 -> parts of x W^T. */
const linear: NativeKernel = (call) => {
  const { attrs, backend } = call;
  const { x, W } = call.inputs;
  const sizes = attrs['sizes'] as number[];
  const [m, n] = W.shape;
  const rows = sizeOf(x.shape) / n;
  const [from, weights] = [backend.floats(x), backend.floats(W)];
  const parts = sizes.map((size) => backend.alloc('float32', rows * size));
  if (sizes.length > 1 && m <= JOINED) {
    const whole = backend.alloc('float32', rows * m);
    product(call, [false, true], [rows, m, n], from, weights, whole);
    let column = 0;
    sizes.forEach((size, i) => {
      copyColumns(
        backend,
        rows,
        size,
        { values: whole, row: m, column },
        { values: parts[i], row: size, column: 0 },
      );
      column += size;
    });
    backend.release(whole);
  } else {
    let begin = 0;
    sizes.forEach((size, i) => {
      const own = weights.subarray(begin * n, (begin + size) * n);
      product(call, [false, true], [rows, size, n], from, own, parts[i]);
      begin += size;
    });
  }
  return sizes.map((size, i) => backend.makeTensorInfo([...x.shape.slice(0, -1), size], 'float32', parts[i]));
};

/** The gradients of the parts, or all of them as one where they are narrow. */
function gradients({ inputs, backend }: KernelCall): {
  dys: { values: Float32Array; size: number }[];
  rows: number;
  release(): void;
} {
  const infos = Object.keys(inputs)
    .filter((name) => name.startsWith('dy'))
    .map((_, i) => inputs[`dy${i}`]);
  const sizes = infos.map(({ shape }) => shape[shape.length - 1]);
  const rows = sizeOf(infos[0].shape) / sizes[0];
  const m = sizes.reduce((a, b) => a + b, 0);
  const dys = infos.map((info, i) => ({ values: backend.floats(info), size: sizes[i] }));
  if (dys.length === 1 || m > JOINED) return { dys, rows, release: () => undefined };
  const whole = backend.alloc('float32', rows * m);
  let column = 0;
  for (const { values, size } of dys) {
    copyColumns(backend, rows, size, { values, row: size, column: 0 }, { values: whole, row: m, column });
    column += size;
  }
  return { dys: [{ values: whole, size: m }], rows, release: () => backend.release(whole) };
}

/** {dy0, dy1 .., W} -> sum of dy_i W_i, the gradient of x. */
const linearGradInput: NativeKernel = (call) => {
  const { inputs, backend } = call;
  const n = inputs.W.shape[1];
  const weights = backend.floats(inputs.W);
  const { dys, rows, release } = gradients(call);
  const dx = backend.alloc('float32', rows * n);
  const terms: Float32Array[] = [];
  let begin = 0;
  for (const { values, size } of dys) {
    const to = begin === 0 ? dx : backend.alloc('float32', rows * n);
    const own = weights.subarray(begin * n, (begin + size) * n);
    product(call, [false, false], [rows, n, size], values, own, to);
    terms.push(to);
    begin += size;
  }
  if (terms.length > 1) backend.addon.addN(dx, ...terms);
  for (const term of terms.slice(1)) backend.release(term);
  release();
  return backend.makeTensorInfo([...inputs.dy0.shape.slice(0, -1), n], 'float32', dx);
};

/** {dy0, dy1 .., x} -> the gradient of W, dy_i^T x one below the other. */
const linearGradWeight: NativeKernel = (call) => {
  const { inputs, backend } = call;
  const n = inputs.x.shape[inputs.x.shape.length - 1];
  const x = backend.floats(inputs.x);
  const { dys, rows, release } = gradients(call);
  const m = dys.reduce((sum, { size }) => sum + size, 0);
  const dW = backend.alloc('float32', m * n);
  let begin = 0;
  for (const { values, size } of dys) {
    product(call, [true, false], [size, n, rows], values, x, dW.subarray(begin * n, (begin + size) * n));
    begin += size;
  }
  release();
  return backend.makeTensorInfo([m, n], 'float32', dW);
};

/** `nn.Linear` whose result comes in parts. */
export const linearKernels: NativeKernels = {
  Linear: linear,
  LinearGradInput: linearGradInput,
  LinearGradWeight: linearGradWeight,
};
