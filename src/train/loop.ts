import { formatDuration, formatNumber, inspectable } from '../util';
import { writeCheckpoint, type CheckpointState } from './checkpoint';
import { scheduleOf } from './config';
import { evaluateLoss, type EvaluateLossOptions } from './evaluateLoss';
import { writeModelFiles } from './exportModel';
import type { FitOptions, History, StopReason } from './fit';
import { macrotask } from './interrupt';
import { Learner } from './learner';
import { bitsPerByte, MetricsLog, type EvalMetrics, type StepMetrics } from './metrics';
import { phaseWindow } from './phaseWindow';
import type { PreparedRun } from './prepare';
import { Rows, type BatchPosition } from './rows';
import { packageVersion, type ModelCard } from './runFolder';
import { learningRate } from './schedule';

/** The training loop: rows, gradients, clip, AdamW, evaluation, checkpoint, until told to stop. */
export class TrainingLoop {
  private readonly learner: Learner;
  private readonly rows: Rows;
  private readonly log: MetricsLog;
  private readonly steps: StepMetrics[] = [];
  private readonly evals: EvalMetrics[] = [];
  private readonly hasValidation: boolean;
  /** Tokens that evaluations count; undefined: all. */
  private readonly window: EvaluateLossOptions['window'];
  private step = 0;
  /** Updates done before this call. */
  private first = 0;
  private tokens = 0;
  private best: CheckpointState['best'] = null;
  /** Seconds of earlier calls. */
  private secondsBefore = 0;
  private readonly started = performance.now();
  private workMs = 0;
  private gradientMs = 0;

  constructor(
    private readonly options: FitOptions,
    private readonly run: PreparedRun,
    private readonly signal: AbortSignal,
  ) {
    const { train, dataset, checkpoint } = run;
    this.rows = new Rows(
      dataset,
      train,
      checkpoint?.state.position as BatchPosition | undefined,
      run.idMap,
      run.config.label_every_packet,
    );
    this.window = phaseWindow(train.phase);
    this.hasValidation = dataset.sequences.some(
      ({ split, length }, i) =>
        split === 'validation' && length > 1 && (!this.window || this.window(dataset, i) !== undefined),
    );
    if (!this.hasValidation)
      run.notes.push(
        `no validation ${train.phase === null ? 'sequences' : `flow has a ${train.phase}`}: model.safetensors holds the last weights`,
      );
    this.log = new MetricsLog(run.paths.metrics, checkpoint?.state.metricsOffset ?? 0);
    this.learner = new Learner(options.engine, run.config, train, run.weights, run.memory.chunkLen);
    if (checkpoint) this.restore(checkpoint);
  }

  private restore({ state, m, v, carried }: NonNullable<PreparedRun['checkpoint']>): void {
    for (const line of this.log.read()) {
      if (line.kind === 'step') this.steps.push(line);
      else this.evals.push(line);
    }
    this.step = state.step;
    this.tokens = state.tokens;
    this.best = state.best;
    this.secondsBefore = state.seconds;
    this.learner.restore(state.step, m, v, carried);
  }

  async train(): Promise<History> {
    const { steps, evalEvery, checkpointEvery } = this.run.train;
    this.first = this.step;
    let saved = this.run.checkpoint !== null;
    try {
      if (!saved) await this.saveCheckpoint(); // from here on a killed run can be resumed
      saved = true;
      // An evaluation that an interrupt cut short is made up for, so that the run is the uninterrupted one.
      if (this.evaluationIsDue() && (await this.evaluate())) saved = false;
      while (this.step < steps && !this.signal.aborted && !this.timeIsUp() && !this.patienceIsUp()) {
        await this.update();
        saved = false;
        if (this.evaluationIsDue()) await this.evaluate();
        if (this.step % checkpointEvery === 0) {
          await this.saveCheckpoint();
          saved = true;
        }
        await macrotask();
      }
      const stopped = this.stopReason();
      const evaluated = evalEvery === 0 || this.evals.at(-1)?.step === this.step;
      if (stopped !== 'interrupt' && !evaluated && (await this.evaluate())) saved = false;
      if (!saved) await this.saveCheckpoint();
      if (this.best === null) this.saveModel(null);
      return this.history(stopped);
    } finally {
      this.log.close();
      this.learner.dispose();
    }
  }

  private stopReason(): StopReason {
    if (this.step >= this.run.train.steps) return 'steps';
    if (this.signal.aborted) return 'interrupt';
    return this.patienceIsUp() ? 'patience' : 'time';
  }

  private async update(): Promise<void> {
    const started = performance.now();
    const lr = learningRate(scheduleOf(this.run.train), this.step);
    const result = await this.learner.update(this.rows.next(this.run.train.accumulate), lr);
    const ms = performance.now() - started;
    this.step++;
    this.tokens += result.tokens;
    this.gradientMs += result.gradientMs;
    const metrics: StepMetrics = {
      kind: 'step',
      step: this.step,
      lossNats: result.lossNats,
      bitsPerByte: bitsPerByte(result.lossNats, result.tokens, result.bytes),
      lr,
      gradNorm: result.gradNorm,
      tokens: result.tokens,
      tokensPerSecond: Math.round((result.tokens / ms) * 1000),
      ms: Math.round(ms * 1000) / 1000,
    };
    this.steps.push(metrics);
    this.log.append(metrics);
    this.options.onStep?.(metrics);
    this.reportProgress(metrics);
    this.workMs += performance.now() - started;
  }

  private evaluationIsDue(): boolean {
    const { evalEvery } = this.run.train;
    return (
      evalEvery > 0 && this.step > 0 && this.step % evalEvery === 0 && this.evals.at(-1)?.step !== this.step
    );
  }

  /** False where there is nothing to evaluate on, or the run was told to stop meanwhile. */
  private async evaluate(): Promise<boolean> {
    if (!this.hasValidation) return false;
    const started = performance.now();
    const { options, run, learner } = this;
    const { perLabel, perField, ...loss } = await evaluateLoss(
      options.engine,
      run.config,
      learner.params,
      run.dataset,
      'validation',
      {
        maxTokens: run.train.evalTokens,
        idMap: run.idMap,
        fields: options.fields,
        window: this.window,
        signal: this.signal,
        onProgress: ({ done, total = 1 }) => this.report(`validation, ${Math.round((100 * done) / total)} %`),
      },
    );
    if (this.signal.aborted) return false; // a partial evaluation is not comparable
    const metrics: EvalMetrics = {
      kind: 'eval',
      step: this.step,
      ...loss,
      perLabel,
      ...(perField && { perField }),
      ms: Math.round(performance.now() - started),
    };
    this.evals.push(metrics);
    this.log.append(metrics);
    if (this.best === null || loss.lossNats < this.best.lossNats) {
      this.best = { step: this.step, lossNats: loss.lossNats };
      this.saveModel(loss.lossNats);
    }
    const { config, vocabulary, dataset } = run;
    await options.onEval?.(metrics, { config, vocabulary, dataset, weights: learner.weights });
    return true;
  }

  private async saveCheckpoint(): Promise<void> {
    const { run, learner } = this;
    const started = performance.now();
    this.log.flush();
    writeCheckpoint(run.paths.checkpoint, {
      state: {
        format: 1,
        step: this.step,
        position: { ...this.rows.position },
        rng: run.rng.getState(),
        metricsOffset: this.log.offset,
        tokens: this.tokens,
        seconds: this.seconds(),
        best: this.best,
        labels: [...run.vocabulary.labels],
        ...(run.vocabulary.times && { times: run.vocabulary.times }),
        fingerprint: run.fingerprint,
        chunkLen: run.memory.chunkLen,
        engine: this.options.engine.name,
      },
      parameters: learner.weights,
      m: learner.optimizer.m,
      v: learner.optimizer.v,
      carried: await learner.carried(),
    });
    if (!this.hasValidation && this.step > 0) this.saveModel(null);
    if (this.step > this.first) this.workMs += performance.now() - started;
  }

  /** The present weights become the run's model. */
  private saveModel(heldOutLossNats: number | null): void {
    const { meta } = this.run.dataset;
    const recent = this.steps.slice(-100);
    const tokens = recent.reduce((sum, m) => sum + m.tokens, 0);
    const nats = recent.reduce((sum, m) => sum + m.lossNats * m.tokens, 0);
    const { sequences, tokens: trainTokens } = meta.totals.perSplit.train;
    const card: ModelCard = {
      labels: [...this.run.vocabulary.labels],
      layout: meta.layout,
      checksums: meta.checksums,
      ...(this.run.train.phase !== null && { phase: this.run.train.phase }),
      trainedOn: { contentHash: meta.contentHash, unit: meta.unit, sequences, tokens: trainTokens },
      lossNats: tokens === 0 ? null : nats / tokens,
      heldOutLossNats,
      baselines: [],
      steps: this.step,
      seed: this.run.train.seed,
      parameters: this.parameters(),
      engine: this.options.engine.name,
      version: packageVersion(),
    };
    writeModelFiles(this.run.paths.dir, this.run.config, this.learner.weights, card);
  }

  private history(stopped: StopReason): History {
    const history: History = {
      run: this.run.paths.dir,
      stopped,
      step: this.step,
      tokens: this.tokens,
      seconds: this.seconds(),
      overhead: this.workMs === 0 ? 0 : 1 - this.gradientMs / this.workMs,
      parameters: this.parameters(),
      steps: this.steps,
      evals: this.evals,
      best: this.best,
      notes: this.run.notes,
    };
    return inspectable(history, ({ run, step, seconds, best }) => {
      const validation = best
        ? `, best validation ${formatNumber(best.lossNats, 4)} nats at ${best.step}`
        : '';
      return `History ${run}: ${step} updates in ${formatDuration(seconds)}, ended by ${stopped}${validation}`;
    });
  }

  private reportProgress(last: StepMetrics): void {
    const validation = this.best ? `, best validation ${formatNumber(this.best.lossNats, 4)}` : '';
    this.report(
      `loss ${formatNumber(last.lossNats, 4)} nats${validation}, ${last.tokensPerSecond.toLocaleString('en')} tokens/s`,
    );
  }

  /** The bar counts this call's updates; a time limit that comes first decides where it ends. */
  private report(detail: string): void {
    const { steps, maxSeconds } = this.run.train;
    const done = this.step - this.first;
    let total = steps - this.first;
    if (maxSeconds !== null)
      total = Math.min(total, Math.max(done, Math.round((done * maxSeconds) / this.elapsed())));
    this.options.onProgress?.({ done, total, unit: 'steps', detail: `step ${this.step}, ${detail}` });
  }

  private parameters(): number {
    return Object.values(this.run.weights).reduce((sum, { data }) => sum + data.length, 0);
  }

  private timeIsUp(): boolean {
    const { maxSeconds } = this.run.train;
    return maxSeconds !== null && this.elapsed() >= maxSeconds;
  }

  /** No evaluation of the last `patience` ones was the best; those before a resume count. */
  private patienceIsUp(): boolean {
    const { patience } = this.run.train;
    const { best } = this;
    if (patience === null || best === null) return false;
    return this.evals.filter(({ step }) => step > best.step).length >= patience;
  }

  private elapsed(): number {
    return (performance.now() - this.started) / 1000;
  }

  private seconds(): number {
    return this.secondsBefore + this.elapsed();
  }
}
