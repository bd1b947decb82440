import { BINARY, CAST, COMPARE, UNARY } from '../addon';
import type { NativeBackend } from '../backend';
import {
  alias,
  broadcastShape,
  broadcastStrides,
  sizeOf,
  writeBox,
  type KernelCall,
  type NativeKernel,
  type NativeKernels,
  type TensorInfo,
} from '../kernel';

/** Elementwise with broadcasting: float32 with float32, int32 with int32 (division stays with the cpu backend). */
function binary(op: number, integers: boolean): NativeKernel {
  return ({ inputs: { a, b }, backend }) => {
    const floating = a.dtype === 'float32' && b.dtype === 'float32';
    if (!floating && !(integers && a.dtype === 'int32' && b.dtype === 'int32')) return undefined;
    return runBinary(backend, op, a, b);
  };
}

/** out = a op b for operands of one dtype, float32 or int32; undefined above eight distinct dimensions. */
export function runBinary(
  backend: NativeBackend,
  op: number,
  a: TensorInfo,
  b: TensorInfo,
): TensorInfo | undefined {
  const shape = broadcastShape(a.shape, b.shape);
  const params = backend.addon.params;
  if (!writeBox(params, shape, broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)))
    return undefined;
  const out = backend.alloc(a.dtype, sizeOf(shape));
  if (out.length > 0) backend.addon.binary(op, backend.typed(a), backend.typed(b), out);
  return backend.makeTensorInfo(shape, a.dtype, out);
}

function compare(op: number): NativeKernel {
  return ({ inputs: { a, b }, backend }) => {
    if (!numeric(a) || !numeric(b)) return undefined;
    // float32 holds integers up to 2^24 only: leave large ones to the exact path.
    if ((a.dtype === 'int32' && !smallInts(backend, a)) || (b.dtype === 'int32' && !smallInts(backend, b)))
      return undefined;
    const shape = broadcastShape(a.shape, b.shape);
    const params = backend.addon.params;
    if (!writeBox(params, shape, broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)))
      return undefined;
    const out = backend.alloc('bool', sizeOf(shape));
    if (out.length > 0) backend.addon.compare(op, backend.floats(a), backend.floats(b), out);
    return backend.makeTensorInfo(shape, 'bool', out);
  };
}

function numeric(x: TensorInfo): boolean {
  return x.dtype === 'float32' || x.dtype === 'int32' || x.dtype === 'bool';
}

function smallInts(backend: NativeBackend, x: TensorInfo): boolean {
  const values = backend.ints(x);
  for (let i = 0; i < values.length; i++) if (values[i] > 1 << 24 || values[i] < -(1 << 24)) return false;
  return true;
}

type Parameters = (attrs: KernelCall['attrs']) => [number, number];

function unary(op: number, parameters?: Parameters): NativeKernel {
  return ({ inputs: { x }, attrs, backend }) => {
    if (x.dtype !== 'float32') return undefined;
    const [p0, p1] = parameters ? parameters(attrs) : [0, 0];
    return runUnary(backend, op, x, p0, p1);
  };
}

/** out = op(x) for float32. */
export function runUnary(backend: NativeBackend, op: number, x: TensorInfo, p0 = 0, p1 = 0): TensorInfo {
  const values = backend.floats(x);
  const out = backend.alloc('float32', values.length);
  backend.addon.unary(op, values, out, p0, p1);
  return backend.makeTensorInfo(x.shape, 'float32', out);
}

const cast: NativeKernel = ({ inputs: { x }, attrs: { dtype }, backend }) => {
  if (!numeric(x)) return undefined;
  if (x.dtype === dtype) return alias(backend, x, x.shape);
  const n = sizeOf(x.shape);
  if (dtype === 'float32') {
    // Converted now rather than by everybody who reads it later.
    const values = backend.typed(x);
    const out = backend.alloc('float32', n);
    backend.addon.cast(values instanceof Int32Array ? CAST.intToFloat : CAST.byteToFloat, values, out);
    return backend.makeTensorInfo(x.shape, 'float32', out);
  }
  if (dtype === 'int32') {
    const values = backend.typed(x);
    const out = backend.alloc('int32', n);
    backend.addon.cast(values instanceof Float32Array ? CAST.floatToInt : CAST.byteToInt, values, out);
    return backend.makeTensorInfo(x.shape, 'int32', out);
  }
  if (dtype === 'bool') {
    const values = backend.typed(x);
    const out = backend.alloc('bool', n);
    backend.addon.cast(values instanceof Float32Array ? CAST.floatToBool : CAST.intToBool, values, out);
    return backend.makeTensorInfo(x.shape, 'bool', out);
  }
  return undefined;
};

const addN: NativeKernel = ({ inputs, backend }) => {
  const list = inputs as unknown as TensorInfo[];
  if (list.length > 64 || list.some((t) => t.dtype !== 'float32')) return undefined;
  const out = backend.alloc('float32', sizeOf(list[0].shape));
  backend.addon.addN(out, ...list.map((t) => backend.floats(t)));
  return backend.makeTensorInfo(list[0].shape, 'float32', out);
};

const select: NativeKernel = ({ inputs: { condition, t, e }, backend }) => {
  if (t.dtype !== 'float32' || e.dtype !== 'float32') return undefined;
  const n = sizeOf(t.shape);
  const conditions = sizeOf(condition.shape);
  const rowwise = condition.shape.length === 1 && t.shape.length > 1;
  if ((!rowwise && conditions !== n) || (rowwise && conditions !== t.shape[0])) return undefined;
  const out = backend.alloc('float32', n);
  if (n > 0)
    backend.addon.select(backend.bools(condition), backend.floats(t), backend.floats(e), out, n / conditions);
  return backend.makeTensorInfo(t.shape, 'float32', out);
};

/** Bool operations on equal shapes: a plain loop is fast, the cpu backend's walk through indices is not. */
function logical(f: (a: number, b: number) => number): NativeKernel {
  return ({ inputs: { a, b }, backend }) => {
    if (a.dtype !== 'bool' || b.dtype !== 'bool' || a.shape.join() !== b.shape.join()) return undefined;
    const x = backend.bools(a);
    const y = backend.bools(b);
    const out = backend.alloc('bool', x.length);
    for (let i = 0; i < out.length; i++) out[i] = f(x[i], y[i]);
    return backend.makeTensorInfo(a.shape, 'bool', out);
  };
}

const fill: NativeKernel = ({ attrs: { shape, value, dtype }, backend }) => {
  const type = dtype ?? (typeof value === 'string' ? 'string' : 'float32');
  if (type !== 'float32' || typeof value !== 'number') return undefined;
  const out = backend.alloc('float32', sizeOf(shape));
  backend.addon.fill(out, value);
  return backend.makeTensorInfo(shape, 'float32', out);
};

function constant(value: number): NativeKernel {
  return ({ inputs: { x }, backend }) => {
    if (x.dtype !== 'float32') return undefined;
    const out = backend.alloc('float32', sizeOf(x.shape));
    backend.addon.fill(out, value);
    return backend.makeTensorInfo(x.shape, 'float32', out);
  };
}

export const elementwiseKernels: NativeKernels = {
  Add: binary(BINARY.Add, true),
  Sub: binary(BINARY.Sub, true),
  Multiply: binary(BINARY.Multiply, true),
  RealDiv: binary(BINARY.RealDiv, false),
  Maximum: binary(BINARY.Maximum, true),
  Minimum: binary(BINARY.Minimum, true),
  SquaredDifference: binary(BINARY.SquaredDifference, true),
  Less: compare(COMPARE.Less),
  LessEqual: compare(COMPARE.LessEqual),
  Greater: compare(COMPARE.Greater),
  GreaterEqual: compare(COMPARE.GreaterEqual),
  Equal: compare(COMPARE.Equal),
  NotEqual: compare(COMPARE.NotEqual),
  Exp: unary(UNARY.Exp),
  Log: unary(UNARY.Log),
  Log1p: unary(UNARY.Log1p),
  Expm1: unary(UNARY.Expm1),
  Sigmoid: unary(UNARY.Sigmoid),
  Softplus: unary(UNARY.Softplus),
  Tanh: unary(UNARY.Tanh),
  Neg: unary(UNARY.Neg),
  Square: unary(UNARY.Square),
  Sqrt: unary(UNARY.Sqrt),
  Rsqrt: unary(UNARY.Rsqrt),
  Reciprocal: unary(UNARY.Reciprocal),
  Relu: unary(UNARY.Relu),
  Relu6: unary(UNARY.Relu6),
  Elu: unary(UNARY.Elu),
  LeakyRelu: unary(UNARY.LeakyRelu, (attrs) => [attrs['alpha'] as number, 0]),
  Selu: unary(UNARY.Selu),
  Abs: unary(UNARY.Abs),
  Sign: unary(UNARY.Sign),
  Step: unary(UNARY.Step, (attrs) => [attrs['alpha'] as number, 0]),
  Floor: unary(UNARY.Floor),
  Ceil: unary(UNARY.Ceil),
  Round: unary(UNARY.Round),
  Erf: unary(UNARY.Erf),
  ClipByValue: unary(UNARY.ClipByValue, (attrs) => [
    attrs['clipValueMin'] as number,
    attrs['clipValueMax'] as number,
  ]),
  LogicalAnd: logical((a, b) => a & b),
  LogicalOr: logical((a, b) => a | b),
  Cast: cast,
  AddN: addN,
  Select: select,
  Fill: fill,
  ZerosLike: constant(0),
  OnesLike: constant(1),
};
