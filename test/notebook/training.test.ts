/**
 * Rows 6, 7, 10, 11, 22, 28 and 29 of the checklist in docs/notebooks.md: training and generating as a cell shows them.
 */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { readCapture } from '../../src/capture';
import { DEMO_MODEL_DIR, loadModel, type LoadedModel } from '../../src/generate';
import {
  compareRuns,
  fit,
  loadOrTrain,
  runRows,
  streamPackets,
  type LiveFitOptions,
} from '../../src/notebook';
import * as display from '../../src/notebook/display';
import { buildDataset, collectInputs } from '../../src/tokens';
import { useEngine, type Engine } from '../../src/tensor';
import { projectRoot } from '../../src/util';
import { KernelClient } from './kernelClient';

const captures = join(projectRoot, 'data', 'captures');
const built = existsSync(join(projectRoot, 'dist', 'notebook', 'fit.js'));
const temporary = (): string => mkdtempSync(join(tmpdir(), 'netssm-training-'));
const SMALL: LiveFitOptions['config'] = {
  model: { d_model: 16, n_layer: 1, ssm_cfg: { d_state: 8, headdim: 16, chunk_size: 16 } },
  batchSize: 2,
  contextLen: 32,
  steps: 6,
  lr: 1e-2,
  evalEvery: 3,
  evalTokens: 200,
  checkpointEvery: 100,
};

let engine: Engine;
let data: string;
beforeAll(async () => {
  engine = await useEngine('wasm');
  data = join(temporary(), 'tokens');
  const inputs = collectInputs(captures).filter(({ path }) => /(dns|mqtt)-0[1-6]/.test(path));
  await buildDataset({ inputs, out: data });
});

/** What a cell would show: every state of each place, in order. */
let shown: display.MimeBundle[];
beforeEach(() => {
  shown = [];
  vi.spyOn(display, 'inNotebook').mockReturnValue(true);
  vi.spyOn(display, 'showBundle').mockImplementation((bundle) => void shown.push(bundle));
  vi.spyOn(display.LiveDisplay.prototype, 'update').mockImplementation((bundle) => void shown.push(bundle));
});
afterEach(() => vi.restoreAllMocks());
const html = (bundle = shown.at(-1)): string => String(bundle?.['text/html']);

describe('progress bar, live loss chart, sample packets', () => {
  test('bar, rate, losses by label and by field, evaluations, packets; then the end in words', async () => {
    const history = await fit({ run: join(temporary(), 'a'), data, engine, config: SMALL, title: 'first' });
    expect(history).toMatchObject({ stopped: 'steps', step: 6, notes: [] });
    const during = shown.map((bundle) => String(bundle['text/plain']));
    expect(
      during.some((text) => /^first: \d\/6 updates · [\d,]+ tokens\/s · loss [\d.]+ · .* left/.test(text)),
    ).toBe(true);
    // A label in turn.
    expect(during.filter((text) => /drawn at update 3, label dns/.test(text)).length).toBeGreaterThan(0);
    expect(during.at(-1)).toMatch(/drawn at update 6, label mqtt/);
    expect(during.at(-1)).toMatch(/\n +3 +\d\.\d{3} +\d\.\d{3} .*\n +6 +\d\.\d{3} +\d\.\d{3} \*/);
    expect(during.at(-1)).toContain('all 6 updates done; the model of update 6 (the best)');
    expect(html()).toContain('<svg ');
    expect(html()).toContain('validation by field');
    expect(html()).toContain('>link header<');
    const fields = history.evals[1].perField!;
    expect(Object.keys(fields)).toEqual(expect.arrayContaining(['head', 'mask', '<|pkt|>']));
    const tokens = Object.values(fields).reduce((sum, field) => sum + field.tokens, 0);
    expect(tokens).toBe(history.evals[1].tokens);
  });

  test('at most five states a second, besides those of evaluations', async () => {
    const started = Date.now();
    await fit({ run: join(temporary(), 'a'), data, engine, config: { ...SMALL, steps: 60, evalEvery: 0 } });
    const seconds = (Date.now() - started) / 1000;
    expect(shown.length).toBeLessThanOrEqual(5 * seconds + 3);
  });

  test('in a terminal: lines', async () => {
    vi.mocked(display.inNotebook).mockReturnValue(false);
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    await fit({
      run: join(temporary(), 'a'),
      data,
      engine,
      config: SMALL,
      sampleLabel: 'mqtt',
      samplePackets: 1,
    });
    expect(log).toHaveBeenCalledTimes(2);
    expect(log.mock.calls[0][0]).toMatch(
      /^update +training +validation[^]*drawn at update 3, label mqtt:\n {2}[+-] /,
    );
  });
});

describe('memory guard', () => {
  test('says what a run would take before it takes it', async () => {
    const config = { ...SMALL, batchSize: 4096, contextLen: 16384, recompute: 'never' as const };
    await expect(fit({ run: join(temporary(), 'a'), data, engine, config })).rejects.toThrow(
      /this run would take about [\d.]+ [GT]B of memory and there are/,
    );
  });

  test('a callback that keeps tensors is told', async () => {
    const kept: { dispose(): void }[] = [];
    const onEval = (): void => void kept.push(engine.tf.tensor([1]));
    const history = await fit({
      run: join(temporary(), 'a'),
      data,
      engine,
      config: SMALL,
      onEval,
      samplePackets: 0,
    });
    expect(history.notes).toEqual([expect.stringMatching(/^1 tensors more at the last evaluation/)]);
    for (const tensor of kept) tensor.dispose();
  });
});

describe('loadOrTrain', () => {
  test('trains once, then loads; more updates resume; other settings are an error or replace', async () => {
    const run = join(temporary(), 'run');
    const first = await loadOrTrain(run, { data, engine, config: SMALL });
    expect([first.how, first.history.step]).toEqual(['trained', 6]);
    const second = await loadOrTrain(run, { data, engine, config: SMALL });
    expect([second.how, second.history.best]).toEqual(['loaded', first.history.best]);
    expect(String(shown.at(-1)!['text/plain'])).toMatch(
      /loaded \(6 updates in .*\); delete the folder to train again/,
    );
    const more = await loadOrTrain(run, { data, engine, config: { ...SMALL, steps: 9 } });
    expect([more.how, more.history.step, more.history.steps.length]).toEqual(['resumed', 9, 9]);
    // Fewer than there are: nothing to do.
    expect((await loadOrTrain(run, { data, engine, config: SMALL })).how).toBe('loaded');
    const other = { ...SMALL, lr: 5e-3 };
    await expect(loadOrTrain(run, { data, engine, config: other })).rejects.toThrow(
      /another run in .*lr was 0.01, is 0.005/,
    );
    const replaced = await loadOrTrain(run, { data, engine, config: other, overwrite: true });
    expect([replaced.how, replaced.history.step]).toEqual(['trained', 6]);
    expect(replaced.model.labels).toEqual(['dns', 'mqtt']);
  });
});

describe('run comparison', () => {
  test('a table of effort, losses and the settings that differ; losses over each other', async () => {
    const folder = temporary();
    const runs = ['slow', 'fast'].map((name) => join(folder, name));
    await fit({ run: runs[0], data, engine, config: SMALL });
    await fit({ run: runs[1], data, engine, config: { ...SMALL, lr: 3e-2, steps: 3 } });
    const rows = runRows(runs);
    expect(rows).toMatchObject([
      { run: 'slow', updates: 6, ended: 'steps', lr: '0.01', steps: '6' },
      { run: 'fast', updates: 3, at: 3, lr: '0.03', steps: '3' },
    ]);
    expect(Object.keys(rows[0]).slice(-2).sort()).toEqual(['lr', 'steps']);
    compareRuns(runs, { id: 'both', save: folder, axis: 'step' });
    expect(html()).toContain('Validation loss');
    expect(readFileSync(join(folder, 'both.csv'), 'utf8')).toMatch(/^trace,x,y\nslow,3,[\d.]+\nslow,6,/);
    expect(() => compareRuns([join(folder, 'none')])).toThrow(/holds no run/);
  });
});

describe('streamPackets', () => {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await loadModel(DEMO_MODEL_DIR, { engine: 'loops' });
  });

  test('packets appear one by one, the prompt’s marked as given', async () => {
    const { frames } = await readCapture(join(captures, 'web', 'web-16.pcap'));
    const seen: boolean[] = [];
    const traces = await streamPackets({
      model,
      label: 'web',
      packets: 6,
      prompt: frames.slice(0, 3),
      jobs: 1,
      onPacket: ({ prompt }) => seen.push(prompt),
    });
    expect(seen).toEqual([true, true, true, ...new Array<boolean>(6).fill(false)]);
    expect(traces[0].report.packets).toBe(6);
    expect(html().match(/>prompt</g)).toHaveLength(3);
    expect(html()).toMatch(/6 packets in one trace, .* % decoded at first try/);
  });

  test('stopped in between: what was drawn is kept', async () => {
    const controller = new AbortController();
    let drawn = 0;
    const onPacket = (): void => {
      if (++drawn === 5) controller.abort();
    };
    const [trace] = await streamPackets({
      model,
      label: 'web',
      packets: 1000,
      jobs: 1,
      signal: controller.signal,
      onPacket,
    });
    expect(trace.report.stopped).toBe('aborted');
    expect(trace.frames.length).toBeGreaterThanOrEqual(5);
    expect(trace.frames.length).toBeLessThan(30);
    expect(html()).toContain('interrupted: what was drawn is kept');
  });
});

describe.skipIf(!built)('the interrupt button in a kernel (needs dist/: npm run build)', () => {
  let kernel: KernelClient;
  beforeAll(async () => {
    kernel = await KernelClient.start(projectRoot, temporary(), { NETSSM_THREADS: '1' });
  });
  afterAll(() => kernel.close());

  test(
    'training: the cell ends normally, model and history are kept, later cells run',
    { timeout: 120_000 },
    async () => {
      const run = join(temporary(), 'run');
      await kernel.execute(
        `import { fit, streamPackets } from "netssm/notebook"; import { useEngine } from "netssm/tensor"; import { loadModel } from "netssm/generate"; const engine = await useEngine("wasm");`,
      );
      const config = JSON.stringify({ ...SMALL, steps: 100_000, evalEvery: 20, checkpointEvery: 100_000 });
      let interrupted = false;
      const cell = await kernel.execute(
        `const history = await fit({ run: ${JSON.stringify(run)}, data: ${JSON.stringify(data)}, engine: engine, config: ${config} });`,
        ({ content }) => {
          const text = String((content.data as Record<string, unknown> | undefined)?.['text/plain']);
          if (interrupted || !text.includes('drawn at update')) return;
          interrupted = true;
          kernel.interrupt();
        },
      );
      expect(cell.text).toBe('');
      expect(cell.status).toBe('ok');
      expect(String(cell.displays.at(-1)?.data['text/html'])).toMatch(
        /interrupted after \d+ updates: nothing is lost, <code>resume: true<\/code> goes on/,
      );
      // It really has stopped, and everything is there.
      const after = await kernel.execute(
        `import { generateTraces } from "netssm/generate"; const model = await loadModel(history.run, { engine: "loops" }); const [drawn] = await generateTraces({ model: model, label: "dns", packets: 2, tokens: 400, jobs: 1 }); console.log(history.stopped, history.steps.length === history.step, model.labels.join(), drawn.report.tokens > 0);`,
      );
      expect(after.text).toBe('interrupt true dns,mqtt true\n');
      const steps = () => readFileSync(join(run, 'metrics.jsonl'), 'utf8').length;
      const before = steps();
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(steps()).toBe(before);
    },
  );

  test('generating: the packets drawn so far are kept', { timeout: 60_000 }, async () => {
    let interrupted = false;
    const cell = await kernel.execute(
      `const traces = await streamPackets({ model: await loadModel("demo", { engine: "loops" }), label: "web", packets: 10_000_000, jobs: 1, continueAfterEnd: true });`,
      ({ content }) => {
        const text = String((content.data as Record<string, unknown> | undefined)?.['text/plain']);
        if (interrupted || !/: \d[\d,]* packets/.test(text)) return;
        interrupted = true;
        kernel.interrupt();
      },
    );
    expect([cell.status, cell.text]).toEqual(['ok', '']);
    const after = await kernel.execute('console.log(traces[0].report.stopped, traces[0].frames.length > 0);');
    expect(after.text).toBe('aborted true\n');
  });
});
