import { describe, expect, it } from 'vitest';
import { inspect } from 'node:util';
import { judgeCombine, judgeInduction, judgeSelectiveSteps, makeNet, type ScanStep } from '../../src/lecture';
import { useEngine } from '../../src/tensor';

describe('exercises', () => {
  it('step sizes: 1 % lost over 256 tokens, 90 % replaced by one', () => {
    // -ln 0.99 / 256 and ln 10
    expect(judgeSelectiveSteps({ noise: 3.9e-5, data: 2.31 }).right).toBe(true);
    expect(judgeSelectiveSteps({ noise: 4e-5, data: 2.31 })).toMatchObject({
      right: false,
      message: expect.stringContaining('to the power of 256') as string,
    });
    expect(judgeSelectiveSteps({ noise: 3e-5, data: 2.3 }).message).toContain('at most');
    expect(judgeSelectiveSteps({ noise: 0, data: 1 }).message).toContain('above 0');
    expect(inspect(judgeSelectiveSteps({ noise: 0.01, data: 0.5 }))).toMatch(
      /^✘ not yet: 256 noise tokens leave 7\.73 %/,
    );
  });

  it('combining two steps: right, in the wrong order, without the decay, with nothing', () => {
    const combine = ([a1, b1]: ScanStep, [a2, b2]: ScanStep): ScanStep => [a1 * a2, a2 * b1 + b2];
    expect(judgeCombine(combine)).toMatchObject({ right: true });
    expect(judgeCombine((first, second) => combine(second, first)).message).toContain('which of the two');
    expect(judgeCombine(([a1], [a2, b2]) => [a1 * a2, b2]).message).toContain('without h');
    expect(judgeCombine(([a1, b1], [, b2]) => [a1, b1 + b2]).message).toContain('both scale');
    expect(judgeCombine(() => undefined).message).toContain('a pair');
  });

  it('induction heads: an untrained net is told what to try', async () => {
    const { tf } = await useEngine();
    const net = makeNet(tf, { mixer: 'gru', vocab_size: 16, d_model: 8, n_layer: 1 }, 1);
    const { right, message } = judgeInduction(net, 4);
    expect(right).toBe(false);
    expect(message).toContain('95.0 % is asked for (guessing: 6.67 %)');
    net.dispose();
  });
});
