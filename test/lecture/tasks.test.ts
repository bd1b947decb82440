import { beforeAll, describe, expect, it } from 'vitest';
import {
  copying,
  copyingIds,
  evaluateTask,
  growingCopying,
  inductionHeads,
  inductionTask,
  makeNet,
  plainCopyingTask,
  selectiveCopying,
  selectiveCopyingTask,
  taskBatch,
  trainCopying,
  trainingProgram,
  trainTask,
  type NetConfig,
} from '../../src/lecture';
import { useEngine, type TF } from '../../src/tensor';
import { Rng } from '../../src/util';

describe('examples', () => {
  const settings = { length: 40, symbols: 5, tokensToCopy: 6 };
  const { noise, answer } = copyingIds(5);

  it('selective copying: the data among noise is asked for in its order', () => {
    const rng = new Rng(1);
    const firsts = new Set<number>();
    for (let k = 0; k < 30; k++) {
      const { tokens, targets, mask } = selectiveCopying(settings, rng);
      expect([tokens.length, targets.length, mask.length]).toEqual([46, 46, 46]);
      const data = [...tokens.slice(0, 40)].filter((token) => token !== noise);
      expect(data).toHaveLength(6);
      expect(data.every((token) => token < 5)).toBe(true);
      expect([...tokens.slice(40)]).toEqual(Array(6).fill(answer));
      expect([...targets.slice(40)]).toEqual(data);
      expect([...mask]).toEqual([...Array(40).fill(0), ...Array(6).fill(1)]);
      firsts.add(tokens.findIndex((token) => token !== noise));
    }
    expect(firsts.size).toBeGreaterThan(5);
  });

  it('copying: the data comes first', () => {
    const { tokens, targets } = copying(settings, new Rng(2));
    expect([...tokens.slice(0, 6)]).toEqual([...targets.slice(40)]);
    expect([...tokens.slice(6, 40)]).toEqual(Array(34).fill(noise));
  });

  it('induction heads: what followed the marker', () => {
    const rng = new Rng(3);
    for (let k = 0; k < 30; k++) {
      const { tokens, targets, mask } = inductionHeads({ length: 20, symbols: 7 }, rng);
      expect([...tokens].filter((token) => token === 7)).toHaveLength(2);
      expect(tokens[19]).toBe(7);
      expect(targets[19]).toBe(tokens[tokens.indexOf(7) + 1]);
      expect([...mask]).toEqual([...Array(19).fill(0), 1]);
    }
  });

  it('same seed, same batch; every place is equally likely', () => {
    const task = selectiveCopyingTask(settings);
    expect(taskBatch(task, 4, new Rng(7))).toEqual(taskBatch(task, 4, new Rng(7)));
    const { tokens, L } = taskBatch(task, 2000, new Rng(8));
    const counts = Array.from({ length: 40 }, (_, t) =>
      Array.from({ length: 2000 }, (_, b) => Number(tokens[b * L + t] !== noise)).reduce((a, b) => a + b),
    );
    // 300 expected, standard deviation 16
    expect(Math.min(...counts)).toBeGreaterThan(230);
    expect(Math.max(...counts)).toBeLessThan(370);
  });

  it('practice grows from two tokens to all, among any amount of noise, then at the full length', () => {
    const practice = growingCopying({ length: 256, symbols: 16, tokensToCopy: 16 });
    const answers = (share: number) =>
      practice(share)
        .example(new Rng(1))
        .mask.reduce((a, b) => a + b);
    expect([0, 0.125, 0.25, 0.8].map(answers)).toEqual([2, 8, 16, 16]);
    const lengths = Array.from({ length: 200 }, (_, i) => practice(0.3 + i / 400).length);
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(48);
    expect(Math.max(...lengths)).toBeGreaterThan(240);
    // 16 + the mean of 32 * 8^(u^4) over u from 0 to 1
    expect(lengths.reduce((a, b) => a + b) / 200).toBeGreaterThan(68);
    expect(lengths.reduce((a, b) => a + b) / 200).toBeLessThan(100);
    expect([0.9, 1].map((share) => practice(share).length)).toEqual([272, 272]);
    expect(practice(0.123).length).toBe(practice(0.123).length);
    expect(growingCopying({ length: 3, symbols: 4, tokensToCopy: 3 })(0.5).length).toBe(6);
  });

  it('impossible sizes are refused', () => {
    expect(() => selectiveCopyingTask({ ...settings, tokensToCopy: 41 })).toThrow(/copying 41 tokens/);
    expect(() => inductionHeads({ length: 3, symbols: 5 }, new Rng(1))).toThrow(/length of at least 4/);
  });
});

describe('training', () => {
  let tf: TF;
  beforeAll(async () => {
    tf = (await useEngine()).tf;
  });

  it('a small Mamba learns to copy three tokens; an untrained one guesses', async () => {
    const task = selectiveCopyingTask({ length: 12, symbols: 4, tokensToCopy: 3 });
    const net = makeNet(tf, { mixer: 'mamba1', vocab_size: task.vocab_size, d_model: 32, n_layer: 2 }, 1);
    expect(evaluateTask(net, task, { examples: 200 }).accuracy).toBeLessThan(0.45);
    const seen: number[] = [];
    const short = selectiveCopyingTask({ length: 6, symbols: 4, tokensToCopy: 3 });
    const history = await trainTask(net, task, {
      steps: 100,
      batchSize: 64,
      lr: 1e-2,
      evalEvery: 50,
      practice: (share) => (share < 0.3 ? short : task),
      onUpdate: ({ update, evaluation }) => {
        if (evaluation) seen.push(update);
      },
    });
    expect(seen).toEqual([50, 100]);
    expect(history).toMatchObject({
      updates: 100,
      stopped: 'steps',
      mixer: 'mamba1',
      parameters: net.parameters,
    });
    expect(Math.abs(history.losses[0] - Math.log(6))).toBeLessThan(0.1);
    const score = evaluateTask(net, task, { examples: 200 });
    expect(score.accuracy).toBeGreaterThan(0.9);
    expect(score.byAnswer).toHaveLength(3);
    net.dispose();
  });

  it('same seed, same losses; a signal ends it after the update, and nothing is left behind', async () => {
    const task = inductionTask({ length: 16, symbols: 4 });
    const run = async (stopAt: number) => {
      const net = makeNet(tf, { mixer: 'lti', vocab_size: 5, d_model: 16, n_layer: 1 }, 1);
      const controller = new AbortController();
      const before = tf.memory().numTensors;
      const history = await trainTask(net, task, {
        steps: 6,
        batchSize: 4,
        evalEvery: 0,
        evalExamples: 8,
        signal: controller.signal,
        onUpdate: ({ update }) => {
          if (update === stopAt) controller.abort();
        },
      });
      expect(tf.memory().numTensors).toBe(before);
      net.dispose();
      return history;
    };
    const [whole, short] = [await run(99), await run(3)];
    expect(whole.evals.map(({ update }) => update)).toEqual([6]);
    expect(short.stopped).toBe('interrupt');
    expect(short.losses).toEqual(whole.losses.slice(0, 3));
  });

  it('refuses a net with too few ids', () => {
    const task = plainCopyingTask({ length: 8, symbols: 4, tokensToCopy: 2 });
    const net = makeNet(tf, { mixer: 'gru', vocab_size: 5, d_model: 8, n_layer: 1 }, 1);
    expect(() => trainTask(net, task, { steps: 1 })).toThrow(/knows 5 ids, copying has 6/);
    net.dispose();
  });
});

describe('several nets on selective copying', () => {
  const settings = { length: 8, symbols: 4, tokensToCopy: 3 };
  const small: NetConfig = { mixer: 'mamba2', vocab_size: 6, d_model: 8, n_layer: 1, d_state: 8, nheads: 2 };
  const options = { steps: 4, batchSize: 4, evalEvery: 2, evalExamples: 8, seed: 3 };
  let tf: TF;
  beforeAll(async () => {
    tf = (await useEngine()).tf;
  });
  const bothNets = () => ({ a: makeNet(tf, small, 1), b: makeNet(tf, { ...small, mixer: 'lti' }, 2) });

  it('here: one after the other, as trainTask does with practice that grows', async () => {
    const nets = bothNets();
    const seen: string[] = [];
    const told = (name: string, { update }: { update: number }) => seen.push(`${name}${update}`);
    const histories = await trainCopying(nets, settings, { ...options, jobs: 1, onEvaluation: told });
    expect(seen).toEqual(['a2', 'a4', 'b2', 'b4']);
    const alone = makeNet(tf, small, 1);
    const practice = growingCopying(settings);
    const { losses } = await trainTask(alone, selectiveCopyingTask(settings), { ...options, practice });
    expect(histories.a.losses).toEqual(losses);
    expect(histories.b).toMatchObject({ mixer: 'lti', updates: 4, stopped: 'steps' });
    const fixed = await trainCopying({ alone }, settings, { ...options, growing: false, jobs: 1 });
    expect(fixed.alone.losses).not.toEqual(losses);
    for (const net of [alone, ...Object.values(nets)]) net.dispose();
  });

  describe.skipIf(trainingProgram() === undefined)('in processes (skipped where dist/ is not built)', () => {
    it('the same numbers, weights included', async () => {
      const [here, there] = [bothNets(), bothNets()];
      const seen: string[] = [];
      const [one, two] = [
        await trainCopying(here, settings, { ...options, jobs: 1 }),
        await trainCopying(there, settings, {
          ...options,
          jobs: 2,
          onEvaluation: (name, { update }) => seen.push(`${name}${update}`),
        }),
      ];
      expect(seen.sort()).toEqual(['a2', 'a4', 'b2', 'b4']);
      for (const name of ['a', 'b'] as const) {
        expect(two[name].losses).toEqual(one[name].losses);
        expect(there[name].weights).toEqual(here[name].weights);
        const [x, y] = [here, there].map((nets) => evaluateTask(nets[name], selectiveCopyingTask(settings)));
        expect(x).toEqual(y);
      }
      for (const net of [...Object.values(here), ...Object.values(there)]) net.dispose();
    });

    it('an error of one net ends the other and arrives as it was', async () => {
      const nets = { wide: bothNets().a, narrow: makeNet(tf, { ...small, vocab_size: 5 }, 1) };
      const training = trainCopying(nets, settings, { ...options, steps: 100_000, evalEvery: 0, jobs: 2 });
      await expect(training).rejects.toMatchObject({ code: 'net_vocabulary' });
      for (const net of Object.values(nets)) net.dispose();
    });
  });
});
