import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import type { Tf } from '../index';
import { sizeOf, type NativeKernel, type NativeKernels, type TensorInfo } from '../kernel';
import { ACTIVATION, engineOf, onceDifferentiable, recording } from './engine';

/** What a layer's `call` reads of `tf.layers.simpleRNN`, `gru` and `lstm`. */
export interface RecurrentLayer {
  cell: {
    units: number;
    activation: { getClassName(): string };
    recurrentActivation?: { getClassName(): string };
    dropout: number;
    recurrentDropout: number;
    dropoutMask: Tensor | Tensor[] | null;
    recurrentDropoutMask: Tensor | Tensor[] | null;
    kernel: { read(): Tensor };
    recurrentKernel: { read(): Tensor };
    bias: { read(): Tensor } | null;
  };
  returnSequences: boolean;
  returnState: boolean;
  goBackwards: boolean;
  stateful: boolean;
  unroll: boolean;
}

export interface CallArguments {
  mask?: Tensor | Tensor[] | null;
  training?: boolean | null;
  initialState?: Tensor[] | null;
}

/** Numbers of `RnnKind` in `native/src/layers.h`, by the layer's class name; with them the gates a unit has. */
const KIND: Record<string, { kind: number; gates: number; states: number }> = {
  SimpleRNN: { kind: 0, gates: 1, states: 1 },
  GRU: { kind: 1, gates: 3, states: 1 },
  LSTM: { kind: 2, gates: 4, states: 2 },
};
const LSTM = 2;

interface Attributes {
  kind: number;
  gates: number;
  units: number;
  backwards: boolean;
  activation: number;
  recurrentActivation: number;
  /** Whether h after every step is wanted. */
  sequences: boolean;
  /** Whether what the gradient needs is kept. */
  keep: boolean;
}

function writeParams(params: Int32Array, a: Attributes, batch: number, steps: number): void {
  params.set([a.kind, a.backwards ? 1 : 0, a.activation, a.recurrentActivation, batch, steps, a.units]);
}

/**
 * {x [B, T, n], kernel [n, gates U], recurrent [U, gates U], bias? [gates U], h0? [B, U], c0? [B, U]} ->
 * h [B, U], then c [B, U] (LSTM), the sequence [B, T, U] if asked for, and with `keep` the gates' values
 * [B, T, gates U], h before each step [B, T, U] and the cells [B, T, U].
 */
const forward: NativeKernel = ({ inputs: { x, kernel, recurrent, bias, h0, c0 }, attrs, backend }) => {
  const a = attrs as Attributes;
  const [batch, steps, features] = x.shape;
  const columns = a.gates * a.units;
  const all = batch * steps;
  const floats = (t: TensorInfo | undefined) => (t ? backend.floats(t) : null);
  const gates = backend.alloc('float32', all * columns);
  const { addon } = backend;
  addon.params.set([0, 0, all, columns, features, 1, 1, 1]);
  addon.gemm(backend.floats(x), backend.floats(kernel), gates, floats(bias));
  const states = () => backend.alloc('float32', batch * a.units);
  const overTime = () => backend.alloc('float32', all * a.units);
  const h = states();
  const c = a.kind === LSTM ? states() : null;
  const sequence = a.sequences ? overTime() : null;
  const before = a.keep ? overTime() : null;
  const cells = a.keep && a.kind > 0 ? overTime() : null;
  writeParams(addon.params, a, batch, steps);
  addon.rnnForward(backend.floats(recurrent), floats(h0), floats(c0), gates, before, cells, sequence, h, c);
  const info = (shape: number[], values: Float32Array) => backend.makeTensorInfo(shape, 'float32', values);
  const long = [batch, steps, a.units];
  const out = [info([batch, a.units], h)];
  if (c) out.push(info([batch, a.units], c));
  if (sequence) out.push(info(long, sequence));
  if (before) out.push(info([batch, steps, columns], gates), info(long, before));
  else backend.release(gates);
  if (cells) out.push(info(long, cells));
  return out;
};

/**
 * {recurrent, gates, before, cells?, c0?, dSequence?, dh?, dc?} -> dGates [B, T, gates U], dh0 [B, U],
 * dRecurrent [U, gates U], dBias [gates U], dc0 [B, U] (LSTM).
 */
const backward: NativeKernel = ({ inputs, attrs, backend }) => {
  const a = attrs as Attributes;
  const { recurrent, gates, before } = inputs;
  const [batch, steps, columns] = gates.shape;
  const floats = (name: string) => (inputs[name] ? backend.floats(inputs[name]) : null);
  const dGates = backend.alloc('float32', sizeOf(gates.shape));
  const dh0 = backend.alloc('float32', batch * a.units);
  const dc0 = a.kind === LSTM ? backend.alloc('float32', batch * a.units) : null;
  const dRecurrent = backend.alloc('float32', a.units * columns);
  const dBias = backend.alloc('float32', columns);
  const values = [recurrent, gates, before].map((t) => backend.floats(t));
  const others = ['cells', 'c0', 'dSequence', 'dh', 'dc'].map(floats);
  writeParams(backend.addon.params, a, batch, steps);
  backend.addon.rnnBackward(...values, ...others, dGates, dh0, dc0, dRecurrent, dBias);
  const info = (shape: number[], array: Float32Array) => backend.makeTensorInfo(shape, 'float32', array);
  const out = [
    info(gates.shape, dGates),
    info([batch, a.units], dh0),
    info(recurrent.shape, dRecurrent),
    info([columns], dBias),
  ];
  if (dc0) out.push(info([batch, a.units], dc0));
  return out;
};

export const recurrentKernels: NativeKernels = {
  FusedRecurrent: forward,
  FusedRecurrentGrad: backward,
};

function numberOf(activation: { getClassName(): string } | undefined): number | undefined {
  const number = activation ? ACTIVATION[activation.getClassName()] : 0;
  return number === ACTIVATION['softmax'] ? undefined : number;
}

function standardInput(inputs: Tensor | Tensor[]): Tensor3D | undefined {
  const x = Array.isArray(inputs) ? (inputs.length === 1 ? inputs[0] : undefined) : inputs;
  return x && x.rank === 3 && x.dtype === 'float32' && x.size > 0 ? (x as Tensor3D) : undefined;
}

/**
 * A recurrent layer's `call` as one operation over the whole sequence. Undefined where the layer asks for more than
 * that: masks, active dropout, other activations, state between batches, second derivatives.
 */
export function callRecurrent(
  tf: Tf,
  className: string,
  layer: RecurrentLayer,
  inputs: Tensor | Tensor[],
  kwargs: CallArguments | null | undefined,
): Tensor | Tensor[] | undefined {
  const engine = engineOf(tf);
  const { cell } = layer;
  const { states, ...kind } = KIND[className];
  const x = standardInput(inputs);
  const activation = numberOf(cell.activation);
  const recurrentActivation = numberOf(cell.recurrentActivation);
  if (!x || activation === undefined || recurrentActivation === undefined) return undefined;
  if (!onceDifferentiable(engine) || kwargs?.mask || layer.stateful || layer.unroll) return undefined;
  if (kwargs?.training && (cell.dropout > 0 || cell.recurrentDropout > 0)) return undefined;
  const initial = kwargs?.initialState ?? [];
  const stateShape = [x.shape[0], cell.units].join();
  if (initial.length !== 0 && initial.length !== states) return undefined;
  if (initial.some((t) => t.dtype !== 'float32' || t.shape.join() !== stateShape)) return undefined;
  for (const name of ['dropoutMask', 'recurrentDropoutMask'] as const) {
    if (cell[name]) tf.dispose(cell[name]);
    cell[name] = null;
  }
  const attributes: Attributes = {
    ...kind,
    units: cell.units,
    backwards: layer.goBackwards,
    activation,
    recurrentActivation,
    sequences: layer.returnSequences,
    keep: recording(engine),
  };
  return tf.tidy(() => {
    const outputs = recurrent(tf, attributes, {
      x,
      kernel: cell.kernel.read(),
      recurrent: cell.recurrentKernel.read(),
      ...(cell.bias ? { bias: cell.bias.read() } : {}),
      ...(initial[0] ? { h0: initial[0] } : {}),
      ...(initial[1] ? { c0: initial[1] } : {}),
    });
    const [output] = layer.returnSequences ? outputs.slice(-1) : outputs;
    return layer.returnState ? [output, ...outputs.slice(0, states)] : output;
  });
}

/** h, then c (LSTM), then the sequence where asked for; with their gradients. */
function recurrent(tf: Tf, a: Attributes, inputs: Record<string, Tensor>): Tensor[] {
  const engine = engineOf(tf);
  const { x, kernel, recurrent: matrix, c0 } = inputs;
  const states = a.kind === LSTM ? 2 : 1;
  const visible = states + (a.sequences ? 1 : 0);
  const result = engine.runKernelFunc({
    inputs,
    forwardFunc(_, save) {
      const all = engine.runKernel('FusedRecurrent', inputs, a) as Tensor[];
      if (a.keep) save([x, kernel, matrix, ...all.slice(visible), ...(c0 ? [c0] : [])]);
      return all.slice(0, visible);
    },
    backwardsFunc(dys, saved) {
      const [x, kernel, matrix, gates, before, ...rest] = saved;
      const given = [dys].flat();
      const [dGates, dh0, dRecurrent, dBias, dc0] = engine.runKernel(
        'FusedRecurrentGrad',
        {
          recurrent: matrix,
          gates,
          before,
          ...(a.kind > 0 ? { cells: rest.shift() } : {}),
          ...(rest.length > 0 ? { c0: rest[0] } : {}),
          dh: given[0],
          ...(a.kind === LSTM ? { dc: given[1] } : {}),
          ...(a.sequences ? { dSequence: given[states] } : {}),
        },
        a,
      ) as Tensor[];
      const rows = (t: Tensor) => tf.reshape(t, [-1, t.shape[2] as number]);
      return {
        x: () => tf.reshape(tf.matMul(rows(dGates), kernel, false, true), x.shape),
        kernel: () => tf.matMul(rows(x), rows(dGates), true, false),
        recurrent: () => dRecurrent,
        bias: () => dBias,
        h0: () => dh0,
        c0: () => dc0,
      };
    },
  });
  return [result].flat();
}
