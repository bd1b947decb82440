import type { OnProgress } from '../util';
import type { PaperItem } from './paper';
import type { ExperimentData } from './data';

/** A value that JSON holds. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Settings of an experiment: plain data, so that a run can be written down and made again. */
export type ExperimentOptions = object;

/** Everything that decides the numbers of a run: config.json of its folder. */
export interface RunConfig<O = ExperimentOptions> {
  format: 'netssm-run';
  version: 1;
  experiment: string;
  seed: number;
  fast: boolean;
  /** Packed set or folder of labelled captures, as it was given; and what it held. */
  data: string;
  dataFingerprint: string;
  /** Model folder as it was given, and its fingerprint; null where the experiment needs none. */
  model: string | null;
  modelFingerprint: string | null;
  options: O;
}

/** One piece of work that needs nothing of the others of its stage. */
export interface ExperimentJob {
  /** Unique in its experiment; names the result file: letters, digits, `.`, `_` and `-`. */
  key: string;
  /** A stage begins when the one before it is finished. Default 0. */
  stage?: number;
  /** What the job is told. */
  params: { [key: string]: Json };
}

/** What a job finds out, as it lies in jobs/<key>.json. */
export interface JobResult<R = unknown> {
  key: string;
  params: ExperimentJob['params'];
  result: R;
  /** Wall clock of the job; not part of the metrics, for it differs from run to run. */
  seconds: number;
}

/** What every function of an experiment gets. */
export interface RunContext<O = ExperimentOptions> {
  config: RunConfig<O>;
  options: O;
  /** The run's folder; large outputs go below `work`. */
  folder: string;
  work: string;
  /** The captures, opened at the first call. */
  data(): Promise<ExperimentData>;
}

/** What a job's function gets besides. */
export interface JobContext<O = ExperimentOptions> extends RunContext<O> {
  /** Threads that the job may use. */
  threads: number;
  /** Ends the job: what is thrown then is taken for the end and no error. */
  signal: AbortSignal;
  onProgress: OnProgress;
  /** Results of the stages before, by key. @throws NetssmError `job_missing`. */
  result<R>(key: string): R;
}

/** A cell of a table: text, a number, or null where there is none. */
export type Cell = string | number | null;

/** A column of a {@link ResultTable}. */
export interface ResultColumn {
  title: string;
  /** `name`: what the row is. `ours`: measured here. `paper`: published. `bar`: what is asked for. */
  kind: 'name' | 'ours' | 'paper' | 'bar';
  /** Significant digits in text; default 3. */
  digits?: number;
}

/** One table of a run's results, ours and the paper's side by side. */
export interface ResultTable {
  id: string;
  title: string;
  /** Which figure or table of the paper it stands beside. */
  reproduces: PaperItem[];
  columns: ResultColumn[];
  rows: Cell[][];
  /** What to know when reading it, in sentences. */
  notes: string[];
}

/** One curve or set of points. */
export interface ResultSeries {
  name: string;
  from: 'ours' | 'paper';
  /** Part of the figure that it belongs to. */
  panel: string;
  x: number[];
  y: (number | null)[];
  /** 95 % interval, where there is one. */
  low?: (number | null)[];
  high?: (number | null)[];
}

/** Data of a figure; netssm/viz and the notebooks draw it. */
export interface ResultFigure {
  id: string;
  title: string;
  reproduces: PaperItem[];
  x: string;
  y: string;
  series: ResultSeries[];
  notes: string[];
}

/** metrics.json of a run: nothing in it depends on the clock or the machine's speed. */
export interface RunMetrics {
  format: 'netssm-metrics';
  version: 1;
  experiment: string;
  /** What was measured on: name, classes, sessions by split. */
  data: { name: string; classes: string[]; sessions: Record<string, number> };
  tables: ResultTable[];
  figures: ResultFigure[];
  /** Everything else that later programs may want: confusion matrices, importances, counts. */
  details: { [key: string]: Json };
  notes: string[];
}

/** What {@link Experiment.summarise} gives; the rest of {@link RunMetrics} is filled in. */
export type Summary = Partial<Pick<RunMetrics, 'tables' | 'figures' | 'details' | 'notes'>>;

/** An experiment: what it needs, how it falls into jobs, what each does, and how results become tables. */
export interface Experiment<O extends ExperimentOptions = ExperimentOptions, R = unknown> {
  name: string;
  title: string;
  /** Two or three sentences for `netssm experiment --list`. */
  description: string;
  reproduces: readonly PaperItem[];
  needs: { model: boolean };
  /** Every setting with its value; unknown ones are refused. */
  options: O;
  /** What `--fast` changes: the same shape, smaller. */
  fast: Partial<O>;
  /** Looks at settings beyond their types. @throws NetssmError `experiment_options` */
  check?(options: O): void;
  /** The jobs, from settings and data alone: the same at every call. */
  plan(context: RunContext<O>): Promise<ExperimentJob[]>;
  /** Does one job; the result is JSON and depends on config, params and earlier stages only. */
  run(job: ExperimentJob, context: JobContext<O>): Promise<R>;
  summarise(results: ReadonlyMap<string, JobResult<R>>, context: RunContext<O>): Promise<Summary>;
}
