import type { NamedTensorMap, Tensor, Variable } from '@tensorflow/tfjs-core';
import type { NativeBackend } from '../backend';
import type { Tf } from '../index';
import { engineOf } from './engine';

type NamedTensor = { name: string; tensor: Tensor | null };

/** Gradients by the names of their variables, as `minimize` gives them. */
export type Gradients = NamedTensorMap | NamedTensor[];
type Slots = { originalName: string; variable: Variable }[];

/** The fields of tfjs's optimisers that a step reads and writes. */
export interface OptimizerState {
  learningRate: number;
  /** SGD and momentum: minus the learning rate, as a scalar. */
  c: Tensor;
  /** Momentum: the factor, as a scalar. */
  m: Tensor;
  useNesterov: boolean;
  accumulations: Slots;
  decay: number;
  momentum: number;
  epsilon: number;
  centered: boolean;
  accumulatedMeanSquares: Slots;
  accumulatedMoments: Slots;
  accumulatedMeanGrads: Slots;
  beta1: number;
  beta2: number;
  accBeta1: Variable;
  accBeta2: Variable;
  accumulatedFirstMoment: Slots;
  accumulatedSecondMoment: Slots;
  incrementIterations(): void;
}

/** How one optimiser steps: its number in `native/src/layers.h`, its settings, its slots and their names. */
interface Rule {
  kind: number;
  settings(optimizer: OptimizerState, backend: NativeBackend): number[];
  slots(optimizer: OptimizerState): [Slots, string][];
  after?(optimizer: OptimizerState, backend: NativeBackend): void;
}

const scalar = (backend: NativeBackend, t: Tensor): number => backend.floats(t)[0];

function decayed(backend: NativeBackend, variable: Variable, factor: number): void {
  backend.store(variable, Float32Array.of(scalar(backend, variable) * Math.fround(factor)));
}

export const RULES: Record<string, Rule> = {
  SGD: { kind: 0, settings: (o, backend) => [-scalar(backend, o.c)], slots: () => [] },
  Momentum: {
    kind: 1,
    settings: (o, backend) => [-scalar(backend, o.c), scalar(backend, o.m), o.useNesterov ? 1 : 0],
    slots: (o) => [[o.accumulations, 'momentum']],
  },
  RMSProp: {
    kind: 2,
    settings: (o) => [o.learningRate, o.decay, 1 - o.decay, o.momentum, o.epsilon],
    slots: (o) => [
      [o.accumulatedMeanSquares, 'rms'],
      [o.accumulatedMoments, 'momentum'],
      ...(o.centered ? ([[o.accumulatedMeanGrads, 'mg']] as [Slots, string][]) : []),
    ],
  },
  Adam: {
    kind: 3,
    settings: (o, backend) => [
      o.learningRate,
      o.beta1,
      1 - o.beta1,
      o.beta2,
      1 - o.beta2,
      o.epsilon,
      1 - scalar(backend, o.accBeta1),
      1 - scalar(backend, o.accBeta2),
    ],
    slots: (o) => [
      [o.accumulatedFirstMoment, 'm'],
      [o.accumulatedSecondMoment, 'v'],
    ],
    after(o, backend) {
      decayed(backend, o.accBeta1, o.beta1);
      decayed(backend, o.accBeta2, o.beta2);
    },
  },
};

/** `optimizer.applyGradients` with one pass over memory for each variable. Answers false where tfjs's must run. */
export function applyGradients(
  tf: Tf,
  className: string,
  optimizer: OptimizerState,
  gradients: Gradients,
): boolean {
  const rule = RULES[className];
  const backend = tf.backend() as NativeBackend;
  const { registeredVariables } = engineOf(tf);
  const list: NamedTensor[] = Array.isArray(gradients)
    ? gradients
    : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
  const plain = ({ name, tensor }: NamedTensor) =>
    registeredVariables[name]?.dtype === 'float32' &&
    (!tensor || (tensor.dtype === 'float32' && tensor.size === registeredVariables[name].size));
  if (!list.every(plain)) return false;
  const hyper = new Float32Array(8);
  hyper.set(rule.settings(optimizer, backend));
  const slots = rule.slots(optimizer);
  list.forEach(({ name, tensor }, i) => {
    const value = registeredVariables[name];
    for (const [slot, suffix] of slots)
      slot[i] ??= {
        originalName: `${name}/${suffix}`,
        variable: tf.tidy(() => tf.variable(tf.zerosLike(value), false)),
      };
    if (!tensor) return;
    const variables = [value, ...slots.map(([slot]) => slot[i].variable)];
    const old = variables.map((v) => backend.floats(v));
    const fresh = variables.map((v) => backend.writable(v));
    const three = <T>(arrays: T[]) => [0, 1, 2].map((k) => arrays[1 + k] ?? null);
    const [a, b, c] = three(old);
    const [aOut, bOut, cOut] = three(fresh);
    backend.addon.optimizerStep(
      rule.kind,
      hyper,
      old[0],
      backend.floats(tensor),
      a,
      b,
      c,
      fresh[0],
      aOut,
      bOut,
      cOut,
    );
    variables.forEach((v, k) => backend.store(v, fresh[k]));
    backend.finish();
  });
  rule.after?.(optimizer, backend);
  optimizer.incrementIterations();
  return true;
}
