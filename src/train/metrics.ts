import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { NetssmError } from '../util';

/** One update, as metrics.jsonl has it. */
export interface StepMetrics {
  kind: 'step';
  /** Updates done, this one included. */
  step: number;
  /** Mean over the predicted tokens of this update's rows, before the update. */
  lossNats: number;
  /** The same loss in bits, divided by the number of byte tokens (0–255) among the predicted ones. */
  bitsPerByte: number;
  lr: number;
  /** Global norm before clipping. */
  gradNorm: number;
  /** Predicted tokens of this update. */
  tokens: number;
  tokensPerSecond: number;
  /** Wall clock of this update. */
  ms: number;
}

/** One evaluation on the validation split, as metrics.jsonl has it. */
export interface EvalMetrics {
  kind: 'eval';
  /** Updates done when it ran. */
  step: number;
  lossNats: number;
  bitsPerByte: number;
  perLabel: Record<string, { lossNats: number; tokens: number }>;
  /** By what the token says (a header field's name), where the caller named the tokens' fields. */
  perField?: Record<string, { lossNats: number; tokens: number }>;
  tokens: number;
  ms: number;
}

export type MetricsLine = StepMetrics | EvalMetrics;

/** Appends to metrics.jsonl, one JSON object a line; every line is with the system when `append` returns. */
export class MetricsLog {
  private readonly fd: number;
  /** Length of the file in bytes: what a checkpoint remembers. */
  offset: number;

  /**
   * Opens the file and cuts it to `keepBytes`: what lies behind belongs to steps after the checkpoint, which will be
   * made again.
   * @throws NetssmError `metrics_truncated` where the file is shorter than the checkpoint says.
   */
  constructor(
    private readonly path: string,
    keepBytes: number,
  ) {
    this.fd = openSync(path, existsSync(path) ? 'r+' : 'w');
    const size = fstatSync(this.fd).size;
    if (size < keepBytes) {
      closeSync(this.fd);
      throw new NetssmError(
        'metrics_truncated',
        `${path} has ${size} bytes, but the checkpoint was written when it had ${keepBytes}`,
        { hint: 'Restore metrics.jsonl, or start a new run.' },
      );
    }
    ftruncateSync(this.fd, keepBytes);
    this.offset = keepBytes;
  }

  append(line: MetricsLine): void {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`, 'utf8');
    this.offset += writeSync(this.fd, bytes, 0, bytes.length, this.offset);
  }

  /** Makes what was appended survive a crash of the machine; called before a checkpoint refers to it. */
  flush(): void {
    fsyncSync(this.fd);
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Everything in the file so far. */
  read(): MetricsLine[] {
    return readMetrics(this.path);
  }
}

/** The lines of a metrics.jsonl; a last line cut short by a crash is left out. */
export function readMetrics(path: string): MetricsLine[] {
  if (!existsSync(path)) return [];
  const text = readFileSync(path, 'utf8');
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as MetricsLine);
}

/** Loss in bits for each byte token: `lossNats` is a mean over `tokens`, of which `bytes` are byte tokens. */
export function bitsPerByte(lossNats: number, tokens: number, bytes: number): number {
  return bytes === 0 ? 0 : (lossNats * tokens) / Math.LN2 / bytes;
}
