/** Arrays that a kernel reads or writes. */
export type Values = Float32Array | Int32Array | Uint8Array;

/** A model packed for decoding (`native/src/decoder.h`). Threads of the process may share the weights, not the object. */
export interface NativeDecoder {
  /** `new Decoder(id)` in any thread finds the same weights while one object holds them. */
  readonly id: number;
  /** Numbers that one sequence's state takes. */
  readonly stateLength: number;
  /** Memory of the packed weights. */
  readonly bytes: number;
  /**
   * Reads `length` tokens of each of `from.length` sequences (tokens: [sequences, length]): states `from` to states `to`
   * (the same arrays, or others), scores after each sequence's last token to `logits` ([vocab] each, or null).
   */
  run(
    tokens: Int32Array,
    length: number,
    from: readonly Float32Array[],
    to: readonly Float32Array[],
    logits: readonly (Float32Array | null)[],
    parallel: boolean,
  ): void;
}

/**
 * The compiled library (`native/src/binding.cpp`). Every function checks sizes and types and throws RangeError or
 * TypeError; none allocates. Shapes and strides travel in `params`, which the library reads during the call:
 * `[rank, ...shape, ...strides of the first array, ...strides of the second]` unless said otherwise.
 */
export interface Addon {
  readonly params: Int32Array;
  /** `params` = [transA, transB, m, n, k, batch, batchA, batchB]; bias has n values and is added to every row. */
  gemm(a: Float32Array, b: Float32Array, out: Float32Array, bias: Float32Array | null): void;
  /** The same with both operands rounded to bfloat16, sums in float32. */
  gemmBf16(a: Float32Array, b: Float32Array, out: Float32Array, bias: Float32Array | null): void;
  /**
   * How: 0 by rounding and the float32 product, 1 by vdpbf16ps, 2 by AMX tiles. With an argument, sets the highest level
   * allowed first (-1: whatever the processor has).
   */
  gemmBf16Level(highest?: number): number;
  binary(op: number, a: Values, b: Values, out: Values): void;
  compare(op: number, a: Float32Array, b: Float32Array, out: Uint8Array): void;
  unary(op: number, x: Float32Array, out: Float32Array, p0: number, p1: number): void;
  /** `inner` consecutive values follow each condition. */
  select(condition: Uint8Array, t: Float32Array, e: Float32Array, out: Float32Array, inner: number): void;
  addN(out: Float32Array, ...inputs: Float32Array[]): void;
  /** x is [outer, n, inner]; the result is multiplied by `scale`. */
  reduce(
    op: number,
    x: Float32Array,
    out: Float32Array,
    outer: number,
    n: number,
    inner: number,
    scale: number,
  ): void;
  argReduce(max: number, x: Float32Array, out: Int32Array, outer: number, n: number, inner: number): void;
  softmax(log: number, x: Float32Array, out: Float32Array, rows: number, columns: number): void;
  /** flags: 1 product, 2 exclusive, 4 reverse. */
  cumulate(flags: number, x: Float32Array, out: Float32Array, outer: number, n: number, inner: number): void;
  cast(op: number, x: Values, out: Values): void;
  transpose2d(x: Values, out: Values, batch: number, rows: number, columns: number): void;
  fill(out: Float32Array, value: number): void;
  segmentSum(
    ids: Int32Array,
    x: Float32Array,
    out: Float32Array,
    rows: number,
    inner: number,
    segments: number,
  ): void;
  /** out[outOffset + i . c] = x[xOffset + i . a] for every i in shape. */
  stridedCopy(x: Values, xOffset: number, out: Values, outOffset: number): void;
  /** x [batch, outer, size, inner], ids [batch, n] -> out [batch, outer, n, inner]. */
  gather(
    x: Values,
    ids: Int32Array,
    out: Values,
    batch: number,
    outer: number,
    size: number,
    inner: number,
  ): void;
  /**
   * `params` = [batch, inH, inW, inC, outH, outW, outC, kH, kW, strideH, strideW, dilationH, dilationW, padTop, padLeft].
   * what: 0 x, filter -> y, plus bias [outC]; 1 dy, filter -> dx; 2 x, dy -> dFilter; 3 to 5 the same depthwise.
   */
  conv2d(what: number, a: Float32Array, b: Float32Array, out: Float32Array, bias: Float32Array | null): void;
  /** `params` as for conv2d. what: 0 average, 1 max (x, y); 2 average gradient (dy, dx); 3 max gradient (x, dy, dx). */
  pool(what: number, a: Float32Array, b: Float32Array, c?: Float32Array): void;
  /**
   * `params` = [batch, inH, inW, outH, outW, channels, alignCorners, halfPixelCenters].
   * what: 0 nearest, 1 bilinear (x, y); 2, 3 their gradients (dy, dx).
   */
  resize(what: number, from: Float32Array, to: Float32Array): void;
  /** `params` = [batch, length, channels, taps]. */
  causalConv(
    x: Float32Array,
    weight: Float32Array,
    bias: Float32Array,
    segments: Float32Array | null,
    y: Float32Array,
  ): void;
  causalConvGrad(
    dy: Float32Array,
    x: Float32Array,
    weight: Float32Array,
    segments: Float32Array | null,
    dx: Float32Array,
    dWeight: Float32Array,
    dBias: Float32Array,
  ): void;
  /**
   * A recurrent layer over a sequence; sizes and shapes as in `native/src/layers.h`.
   * `params` = [kind, backwards, activation, recurrentActivation, batch, steps, units].
   * `gates` holds the projected input and becomes the gates' values.
   */
  rnnForward(
    recurrent: Float32Array,
    h0: Float32Array | null,
    c0: Float32Array | null,
    gates: Float32Array,
    before: Float32Array | null,
    cells: Float32Array | null,
    sequence: Float32Array | null,
    h: Float32Array,
    c: Float32Array | null,
  ): void;
  /**
   * recurrent, gates, before, cells, c0, dSequence, dh, dc, then what is written: dGates, dh0, dc0, dRecurrent, dBias.
   * `params` as for rnnForward.
   */
  rnnBackward(...arrays: (Float32Array | null)[]): void;
  /** dx = dy slope(y), and its column sums; kinds as in `native/src/layers.h`. */
  activationGrad(
    kind: number,
    dy: Float32Array,
    y: Float32Array,
    dx: Float32Array,
    dBias: Float32Array | null,
    rows: number,
    columns: number,
  ): void;
  /** Losses of the rows of x; kinds as in `native/src/layers.h`. */
  loss(
    kind: number,
    target: Float32Array,
    x: Float32Array,
    out: Float32Array,
    rows: number,
    columns: number,
  ): void;
  lossGrad(
    kind: number,
    dy: Float32Array,
    target: Float32Array,
    x: Float32Array,
    dx: Float32Array,
    rows: number,
    columns: number,
  ): void;
  /** One step of an optimiser: 8 settings, weights, gradient, up to three slots, and where each of them goes. */
  optimizerStep(kind: number, settings: Float32Array, ...arrays: (Float32Array | null)[]): void;
  /**
   * sizes: [kind (1 Mamba-1, 2 Mamba-2), format (0 float32, 1 bf16, 2 int8), d_model, n_layer, rows of the embedding,
   * d_inner, d_state, d_conv, heads, groups, dt_rank (0 in Mamba-2)]; tensors in the order of `native/src/decoder.h`.
   */
  readonly Decoder: new (sizesOrId: Int32Array | number, tensors?: readonly Float32Array[]) => NativeDecoder;
  /** Bytes from the last multiple of 64 to where the array begins in memory. */
  misalignment(array: Values): number;
  /**
   * A scan of a state space model; shapes as in `native/src/scan.h`.
   * `params` = [batch, length, channels, states, headWidth, groups, chunk, uRow, bRow, cRow].
   * u, delta, A, B, C, D, bias, z, h, starts, then what is written: y, h, saved. null: D, bias, z, h, starts, saved.
   */
  scanForward(...arrays: (Float32Array | null)[]): void;
  /**
   * u to starts as in scanForward, then saved, dy, dhOut, and what is written: du, dDelta, dA, dB, dC, dD, dBias, dz, dh.
   * null also: dhOut, dD, dBias, dz.
   */
  scanBackward(...arrays: (Float32Array | null)[]): void;
  /**
   * RMSNorm, see `native/src/fused.h`; `params` = [rows, columns, groups].
   * eps, x, add, gate, weight, then what is written: sum, y, scale. null: add, gate, sum.
   */
  normForward(eps: number, ...arrays: (Float32Array | null)[]): void;
  /** x, gate, weight, scale, dy, dSum, then what is written: dx, dGate, dWeight. null: gate, dSum, dGate. */
  normBackward(...arrays: (Float32Array | null)[]): void;
  /**
   * The causal convolution with SiLU, see `native/src/fused.h`; `params` = [batch, length, channels, taps].
   * x, weight, bias, before, starts, then what is written: y, state. null: before, starts, state.
   */
  causalSilu(...arrays: (Float32Array | null)[]): void;
  /** x to starts as in causalSilu, dy, dState, then what is written: dx, dWeight, dBias, dBefore. */
  causalSiluGrad(...arrays: (Float32Array | null)[]): void;
  /** Cross-entropy over scores; `params` = [rows, vocab]; loss [1], stats [rows, 2]. */
  tokenLoss(
    logits: Float32Array,
    targets: Int32Array,
    mask: Float32Array,
    loss: Float32Array,
    stats: Float32Array,
  ): void;
  tokenLossGrad(
    logits: Float32Array,
    targets: Int32Array,
    mask: Float32Array,
    stats: Float32Array,
    dy: Float32Array,
    dx: Float32Array,
  ): void;
  /**
   * One AdamW update of all parameters, in place; lists of arrays of equal lengths.
   * settings: [beta1, beta2, eps, keep, stepSize, correction, scale, maxNorm]; `scale` multiplies the gradients unless
   * maxNorm >= 0 clips them. Answers their global norm (0 without clipping); changes nothing where that is not finite.
   */
  adamw(
    settings: Float64Array,
    decays: Uint8Array,
    parameters: readonly Float32Array[],
    gradients: readonly Float32Array[],
    m: readonly Float32Array[],
    v: readonly Float32Array[],
  ): number;
  /** The number of threads that share a job; with an argument, sets it first. */
  threads(count?: number): number;
  isa(): string;
  /** Switches to another instruction set; false where this processor or build lacks it. */
  isa(name: string): boolean;
}

/** Operation numbers, in the order of the enumerations in `native/src/kernels.h`. */
export const BINARY = {
  Add: 0,
  Sub: 1,
  Multiply: 2,
  RealDiv: 3,
  Maximum: 4,
  Minimum: 5,
  SquaredDifference: 6,
};
export const COMPARE = { Less: 0, LessEqual: 1, Greater: 2, GreaterEqual: 3, Equal: 4, NotEqual: 5 };
export const UNARY = {
  Exp: 0,
  Log: 1,
  Log1p: 2,
  Expm1: 3,
  Sigmoid: 4,
  Softplus: 5,
  Tanh: 6,
  Neg: 7,
  Square: 8,
  Sqrt: 9,
  Rsqrt: 10,
  Reciprocal: 11,
  Relu: 12,
  Relu6: 13,
  Elu: 14,
  LeakyRelu: 15,
  Abs: 16,
  Sign: 17,
  Step: 18,
  Floor: 19,
  Ceil: 20,
  Round: 21,
  ClipByValue: 22,
  Erf: 23,
  Selu: 24,
  Silu: 25,
  Copy: 26,
  ScaleShift: 27,
};
export const REDUCE = { Sum: 0, Max: 1, Min: 2, Prod: 3 };
export const CAST = {
  floatToInt: 0,
  intToFloat: 1,
  floatToBool: 2,
  intToBool: 3,
  byteToFloat: 4,
  byteToInt: 5,
};
