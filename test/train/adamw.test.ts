import { describe, expect, it } from 'vitest';
import { AdamW, clipCoefficient, decays, globalNorm, learningRate, type Schedule } from '../../src/train';

const options = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.1 };

describe('AdamW', () => {
  it('makes the hand-computed first two updates', () => {
    const weights = { 'x.weight': { shape: [1], data: Float32Array.of(2) } };
    const adam = new AdamW(weights, options);
    adam.step({ 'x.weight': Float32Array.of(0.5) }, 0.01);
    // m = 0.05, v = 0.00025; m^ = 0.5, v^ = 0.25; p = 2 (1 - 0.01 * 0.1) - 0.01 * 0.5 / 0.5 = 1.998 - 0.01
    expect(weights['x.weight'].data[0]).toBeCloseTo(1.988, 6);
    adam.step({ 'x.weight': Float32Array.of(-1) }, 0.01);
    // m = 0.045 - 0.1 = -0.055, m^ = -0.055 / 0.19; v = 0.00024975 + 0.001 = 0.00124975, v^ = v / 0.001999
    const step = (0.01 * (-0.055 / 0.19)) / (Math.sqrt(0.00124975 / 0.001999) + 1e-8);
    expect(weights['x.weight'].data[0]).toBeCloseTo(1.988 * 0.999 - step, 6);
    expect(adam.m['x.weight'][0]).toBeCloseTo(-0.055, 7);
    expect(adam.v['x.weight'][0]).toBeCloseTo(0.00124975, 9);
  });

  it('does not decay A_log, D and dt_bias, and decays everything else', () => {
    const names = ['A_log', 'D', 'dt_bias', 'norm.weight', 'conv1d.bias', 'in_proj.weight'];
    expect(names.map((name) => decays(`backbone.layers.0.mixer.${name}`))).toEqual([
      false,
      false,
      false,
      true,
      true,
      true,
    ]);
    const weights = {
      'a.D': { shape: [1], data: Float32Array.of(1) },
      'a.weight': { shape: [1], data: Float32Array.of(1) },
    };
    new AdamW(weights, options).step({ 'a.D': Float32Array.of(0), 'a.weight': Float32Array.of(0) }, 0.5);
    expect(weights['a.D'].data[0]).toBe(1);
    expect(weights['a.weight'].data[0]).toBeCloseTo(0.95, 7);
  });

  it('multiplies the gradient with the clip coefficient first', () => {
    const make = () => ({ w: { shape: [2], data: Float32Array.of(1, -1) } });
    const [a, b] = [make(), make()];
    new AdamW(a, { ...options, eps: 0.1 }).step({ w: Float32Array.of(4, 8) }, 0.1, 0.25);
    new AdamW(b, { ...options, eps: 0.1 }).step({ w: Float32Array.of(1, 2) }, 0.1);
    expect([...a.w.data]).toEqual([...b.w.data]);
  });

  it('refuses a gradient of another size by name', () => {
    const adam = new AdamW({ w: { shape: [2], data: new Float32Array(2) } }, options);
    expect(() => adam.step({ w: new Float32Array(3) }, 0.1)).toThrow(
      'gradient of w has 3 values; the parameter has 2',
    );
    expect(() => adam.step({}, 0.1)).toThrow('gradient of w has no values');
  });
});

describe('gradient clipping', () => {
  it('has the norm of all gradients together and the coefficient of torch', () => {
    const norm = globalNorm({ a: Float32Array.of(3, 0), b: Float32Array.of(4) });
    expect(norm).toBe(5);
    expect(clipCoefficient(norm, 1)).toBe(1 / (5 + 1e-6));
    expect(clipCoefficient(0.5, 1)).toBe(1);
  });

  it('sums in double: a million equal values lose nothing', () => {
    expect(globalNorm({ a: new Float32Array(1_000_000).fill(0.5) })).toBe(500);
  });
});

describe('learning-rate schedules', () => {
  const schedule = (change: Partial<Schedule>): Schedule => ({
    name: 'linear',
    lr: 1,
    warmupSteps: 0,
    decaySteps: 10,
    minShare: 0,
    ...change,
  });
  const at = (change: Partial<Schedule>, steps: number[]) =>
    steps.map((s) => learningRate(schedule(change), s));

  it('linear falls to nothing and stays there', () => {
    expect(at({}, [0, 1, 5, 9, 10, 20])).toEqual([1, 0.9, 0.5, 1 - 0.9, 0, 0]);
  });
  it('linear with warm-up and a floor', () => {
    expect(at({ warmupSteps: 4, decaySteps: 12, minShare: 0.5 }, [0, 1, 3, 4, 8, 12])).toEqual([
      0.2, 0.4, 0.8, 1, 0.75, 0.5,
    ]);
  });
  it('cosine is half way at half time', () => {
    const [first, half, last] = at({ name: 'cosine', minShare: 0.1 }, [0, 5, 10]);
    expect(first).toBe(1);
    expect(half).toBeCloseTo(0.55, 12);
    expect(last).toBeCloseTo(0.1, 12);
  });
  it('constant stays after the warm-up', () => {
    expect(at({ name: 'constant', warmupSteps: 1 }, [0, 1, 100])).toEqual([0.5, 1, 1]);
  });
});
