import type { Tensor } from '@tensorflow/tfjs';
import type { TF } from './engine';

/** An output of a differentiated function, and the gradient of the objective with respect to it; none means zero. */
export interface Seed {
  output: Tensor;
  gradient?: Tensor;
}

/** What {@link vectorJacobian} gives; the caller disposes all of it. */
export interface VectorJacobian {
  outputs: Tensor[];
  /** One for each of `xs`: sum over the outputs of gradient . d output / d x. */
  gradients: Tensor[];
}

/** What tfjs notes down about an operation while it is being differentiated. */
interface TapeNode {
  kernelName: string;
  inputs: Record<string, Tensor>;
  outputs: Tensor[];
  saved: Tensor[];
  gradient?: (dys: (Tensor | null)[]) => Record<string, () => Tensor>;
}

/** The parts of tfjs's engine that `tf.grads` is made of. */
interface Taping {
  startTape(): void;
  endTape(): void;
  state: { activeTape: TapeNode[] | null; gradientDepth: number };
}

/**
 * Gradients of several outputs at once, each weighted by a given gradient: what `tf.grads` does for one scalar, in less
 * memory. `tf.grads` frees nothing before the end, so that all gradients of intermediate results come on top of the
 * tape; here every step of the way back frees what the tape kept for it and the gradients that it consumed. What is
 * live is then never more than the tape and the gradients of one layer.
 *
 * First derivatives only. Not inside another gradient.
 */
export function vectorJacobian(tf: TF, f: () => Seed[], xs: readonly Tensor[]): VectorJacobian {
  const engine = tf.engine() as unknown as Taping;
  if (engine.state.gradientDepth > 0) throw new Error('vectorJacobian inside another gradient');
  let tape: TapeNode[] = [];
  const results = tf.tidy(() => {
    const seeds: Seed[] = [];
    try {
      engine.startTape();
      try {
        // A tidy of its own: after it, the tape alone holds intermediate results.
        tf.tidy(() => {
          seeds.push(...f());
          return seeds.flatMap(({ output, gradient }) => (gradient ? [output, gradient] : [output]));
        });
      } finally {
        engine.endTape();
        tape = engine.state.activeTape ?? [];
        engine.state.activeTape = null;
      }
      const gradients = walkBack(tf, tape, seeds, xs);
      return [...seeds.map(({ output }) => output), ...gradients];
    } finally {
      for (const node of tape) for (const tensor of node.saved ?? []) tensor.dispose();
    }
  });
  return { outputs: results.slice(0, results.length - xs.length), gradients: results.slice(-xs.length) };
}

/** Runs through the tape from its end. */
function walkBack(tf: TF, tape: TapeNode[], seeds: readonly Seed[], xs: readonly Tensor[]): Tensor[] {
  const dependent = new Set(xs.map((x) => x.id));
  for (const node of tape) {
    if (Object.values(node.inputs).some((input) => dependent.has(input.id)))
      for (const output of node.outputs) dependent.add(output.id);
  }
  const wanted = new Set(xs.map((x) => x.id));
  const gradients = new Map<number, Tensor>();
  const accumulate = (x: Tensor, dx: Tensor): void => {
    const sum = gradients.get(x.id);
    if (!sum) {
      gradients.set(x.id, dx);
      return;
    }
    gradients.set(x.id, tf.add(sum, dx));
    sum.dispose();
    dx.dispose();
  };
  // Copies, because what is used up is disposed.
  for (const { output, gradient } of seeds) if (gradient) accumulate(output, gradient.clone());

  for (let i = tape.length - 1; i >= 0; i--) {
    const node = tape[i];
    const dys = node.outputs.map((output) => gradients.get(output.id) ?? null);
    if (dys.some((dy) => dy !== null)) {
      const names = Object.keys(node.inputs).filter((name) => dependent.has(node.inputs[name].id));
      if (names.length > 0) {
        if (!node.gradient) throw new Error(`${node.kernelName} has no gradient`);
        const results = differentiate(tf, node, dys, names);
        names.forEach((name, k) => accumulate(node.inputs[name], results[k]));
      }
    }
    for (const output of node.outputs) {
      if (wanted.has(output.id)) continue;
      gradients.get(output.id)?.dispose();
      gradients.delete(output.id);
    }
    for (const tensor of node.saved ?? []) tensor.dispose();
    node.saved = [];
  }
  return xs.map((x) => gradients.get(x.id) ?? tf.zerosLike(x));
}

/** Gradients of one operation's inputs; fresh tensors, whatever the gradient function hands back. */
function differentiate(tf: TF, node: TapeNode, dys: (Tensor | null)[], names: string[]): Tensor[] {
  const given = dys.filter((dy) => dy !== null);
  return tf.tidy(() => {
    // Where an output has no gradient tfjs makes zeros of its shape. The states that a scan keeps for its own gradient
    // are as large as its input, and their gradient is never looked at.
    const filled = dys.map((dy, i) => dy ?? (i >= 2 && /Scan$/.test(node.kernelName) ? tf.scalar(0) : null));
    const functions = (node.gradient as NonNullable<TapeNode['gradient']>)(filled);
    const results = names.map((name) => {
      if (!functions[name]) throw new Error(`${node.kernelName} has no gradient for its input ${name}`);
      return functions[name]();
    });
    return results.map((dx, i) => {
      const { shape } = node.inputs[names[i]];
      if (dx.shape.join() !== shape.join())
        throw new Error(
          `${node.kernelName}: the gradient of ${names[i]} is [${dx.shape}], the input [${shape}]`,
        );
      return given.includes(dx) || results.indexOf(dx) < i ? dx.clone() : dx;
    });
  });
}
