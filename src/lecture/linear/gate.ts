import { NetssmError } from '../../util';

/**
 * The gate that a step size is. Zero-order hold of the smallest system, h' = u - h, over a step of
 * delta = softplus(z) = ln(1 + e^z) is h_t = (1 - g) h_{t-1} + g u_t with g = 1 - e^-delta = sigmoid(z): the gate of a
 * recurrent network (arXiv 2312.00752, theorem 1).
 */
export function gateOfStep(delta: number): number {
  return -Math.expm1(-delta);
}

/** The step whose gate is `gate`: -ln(1 - gate). @throws NetssmError `gate_range` outside [0, 1). */
export function stepOfGate(gate: number): number {
  if (!(gate >= 0 && gate < 1)) {
    throw new NetssmError('gate_range', `a gate of ${gate}`, {
      hint: 'Give 0 (keep all) up to, but not including, 1: forgetting everything takes a step without end.',
    });
  }
  return -Math.log1p(-gate);
}

/**
 * A summary that is told what matters: h_t = (1 - g_t) h_{t-1} + g_t u_t, starting from 0.
 * @returns h after each input, [L].
 * @throws NetssmError `sequence_length`.
 */
export function gatedAverage(u: ArrayLike<number>, gates: ArrayLike<number>): Float64Array {
  if (gates.length !== u.length)
    throw new NetssmError('sequence_length', `${u.length} inputs, but ${gates.length} gates`);
  const out = new Float64Array(u.length);
  let h = 0;
  for (let t = 0; t < u.length; t++) {
    h = (1 - gates[t]) * h + gates[t] * u[t];
    out[t] = h;
  }
  return out;
}

/** Steps until a decay of `factor` a step has halved what was there: ln 2 / -ln factor. Infinite from 1 on. */
export function halfLifeSteps(factor: number): number {
  return factor >= 1 ? Infinity : Math.LN2 / -Math.log(factor);
}
