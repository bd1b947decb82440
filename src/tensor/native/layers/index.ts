import type { Tensor } from '@tensorflow/tfjs-core';
import type { Tf } from '../index';
import { callDense, type DenseLayer } from './dense';
import { fuseLosses, type CompiledModel } from './losses';
import { applyGradients, RULES, type Gradients, type OptimizerState } from './optimizers';
import { callRecurrent, type CallArguments, type RecurrentLayer } from './recurrent';

/*
 * A training step of a tf.layers model is hundreds to thousands of operations, and tfjs spends five to ten microseconds
 * on each before any arithmetic. Here the layers and optimisers that most models are made of become one operation each.
 * The methods are replaced on tfjs's classes, ask at every call whether the active engine is `native`, and run tfjs's own
 * code where it is not, or where a layer uses what the fused form does not know.
 */

type Method = (this: object, ...args: unknown[]) => unknown;
type Class = { prototype: Record<string, unknown>; className?: string };

const patched = new WeakSet<object>();
let enabled = process.env['NETSSM_FUSED_LAYERS'] !== '0';

/**
 * Switches the fused forms of `tf.layers.dense`, `simpleRNN`, `gru`, `lstm`, of two losses and of the optimisers sgd,
 * momentum, rmsprop and adam on the engine `native` on or off, for everything that runs from now on; without argument
 * only asks. On unless the environment variable NETSSM_FUSED_LAYERS is 0.
 */
export function fusedLayers(on: boolean = enabled): boolean {
  enabled = on;
  return enabled;
}

function active(tf: Tf): boolean {
  return enabled && tf.getBackend() === 'native';
}

/** Replaces a method; `run` answers undefined for calls that the original has to take. */
function replace(
  tf: Tf,
  owner: Class | undefined,
  name: string,
  run: (self: object, args: unknown[]) => unknown,
): void {
  const original = owner?.prototype[name] as Method | undefined;
  if (!owner || !original) return;
  owner.prototype[name] = function (this: object, ...args: unknown[]): unknown {
    const result = active(tf) ? run(this, args) : undefined;
    return result === undefined ? original.apply(this, args) : result;
  };
}

/** Hooks the fused forms into this tfjs; once for each, however often it is called. */
export function installLayers(tf: Tf): void {
  if (patched.has(tf.AdamOptimizer)) return;
  patched.add(tf.AdamOptimizer);
  const classes = tf.serialization.SerializationMap.getMap().classNameMap as unknown as Record<
    string,
    [Class]
  >;
  const layer = (name: string): Class | undefined => classes[name]?.[0];
  for (const name of ['SimpleRNN', 'GRU', 'LSTM']) {
    const cell = layer(`${name}Cell`)?.prototype;
    replace(tf, layer(name), 'call', (self, [inputs, kwargs]) => {
      const own = self as RecurrentLayer;
      if (Object.getPrototypeOf(own.cell) !== cell) return undefined; // a cell of the user's own
      return callRecurrent(tf, name, own, inputs as Tensor | Tensor[], kwargs as CallArguments);
    });
  }
  replace(tf, layer('Dense'), 'call', (self, [inputs, kwargs]) =>
    callDense(tf, self as DenseLayer, inputs as Tensor | Tensor[], kwargs as object),
  );
  const model = tf.LayersModel?.prototype as typeof tf.LayersModel.prototype | undefined; // tfjs-core alone has none
  if (model) {
    const { compile } = model;
    model.compile = function (args): void {
      compile.call(this, args);
      fuseLosses(tf, this as unknown as CompiledModel, () => active(tf));
    };
  }
  const optimizers = {
    SGD: tf.SGDOptimizer,
    Momentum: tf.MomentumOptimizer,
    RMSProp: tf.RMSPropOptimizer,
    Adam: tf.AdamOptimizer,
  };
  for (const name of Object.keys(RULES) as (keyof typeof optimizers)[]) {
    replace(
      tf,
      optimizers[name] as unknown as Class,
      'applyGradients',
      (self, [gradients]) =>
        applyGradients(tf, name, self as unknown as OptimizerState, gradients as Gradients) || undefined,
    );
  }
}
