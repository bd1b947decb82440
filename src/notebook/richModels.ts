/** How models, their settings, their runs and what they draw look as the last expression of a cell. */
import type { Evaluation } from '../evaluate';
import { firstTryRate, type GeneratedTrace, type LoadedModel } from '../generate';
import { describe, DEFAULT_CONFIG, type MambaConfig } from '../model';
import { decodeFrame, summarize } from '../packets';
import {
  FIRST_LABEL,
  PKT,
  timeBinOfToken,
  timeText,
  SPECIAL_TOKENS,
  UNK,
  type EncodedSession,
  type Layout,
  type TimeTokens,
  type Vocabulary,
} from '../tokens';
import type { Engine } from '../tensor';
import { DEFAULT_TRAIN, type History, type TrainConfig } from '../train';
import { formatBytes, formatNumber } from '../util';
import { escapeHtml, tableBundle, type MimeBundle } from './display';
import { endOf, trainingHtml, trainingText } from './liveTraining';
import type { TrainedRun } from './loadOrTrain';

const ROWS = 12;
const number = (n: number): string => n.toLocaleString('en');

/** Tensors of the first layer and of the ends, then what a model costs: one screen for any size. */
export function modelBundle(config: MambaConfig, at: { B?: number; L?: number } = {}): MimeBundle {
  const d = describe(config, at);
  const first = d.tensors.filter(({ name }) => !/layers\.[1-9]/.test(name));
  const rows: Record<string, unknown>[] = first.map(({ name, shape, parameters }) => ({
    tensor: name,
    shape: `[${shape.join(', ')}]`,
    parameters: number(parameters),
  }));
  if (config.n_layer > 1) {
    const layer = first.filter(({ name }) => /layers\.0\./.test(name));
    const own = layer.reduce((sum, { parameters }) => sum + parameters, 0);
    const more = {
      tensor: config.n_layer === 2 ? 'layer 1' : `layers 1 to ${config.n_layer - 1}`,
      shape: 'as layer 0',
      parameters: number(own * (config.n_layer - 1)),
    };
    rows.splice(first.indexOf(layer[layer.length - 1]) + 1, 0, more);
  }
  const { matrix, convolution, scan, total } = d.operationsPerToken;
  const costs = [
    { '': 'parameters', value: number(d.parameters), 'in words': `${formatBytes(d.weightBytes)} as float32` },
    {
      '': 'operations a token, generating',
      value: number(total),
      'in words': `matrix ${share(matrix, total)}, convolution ${share(convolution, total)}, scan ${share(scan, total)}`,
    },
    {
      '': 'operations a token, training',
      value: number(d.trainingOperationsPerToken),
      'in words': 'forward and backward',
    },
    {
      '': 'state of a sequence',
      value: formatBytes(d.stateBytes),
      'in words': 'the same after ten tokens and after a million',
    },
    {
      '': 'activations of a training step',
      value: formatBytes(d.activationBytes),
      'in words': `an estimate, for ${number(d.B)} ${d.B === 1 ? 'row' : 'rows'} of ${number(d.L)} tokens`,
    },
  ];
  const { layer } = config.ssm_cfg;
  const caption = `${layer}: ${config.n_layer} layers of width ${config.d_model}, state ${config.ssm_cfg.d_state}, ${number(d.parameters)} parameters, ${config.vocab_size} tokens`;
  const sizes = tableBundle(rows, { caption });
  const effort = tableBundle(costs);
  return {
    'text/html': `<div style="display:flex;flex-wrap:wrap;gap:1.6em;align-items:flex-start">${sizes['text/html']}${effort['text/html']}</div>`,
    'text/plain': `${sizes['text/plain']}\n\n${effort['text/plain']}`,
  };
}

const share = (part: number, all: number): string => `${Math.round((100 * part) / all)} %`;

export function loadedModelBundle(model: LoadedModel): MimeBundle {
  const card = model.card as Partial<Record<string, number | string | null>>;
  const held =
    typeof card.heldOutLossNats === 'number'
      ? `, held-out loss ${formatNumber(card.heldOutLossNats, 3)} nats`
      : '';
  const steps = typeof card.steps === 'number' ? `${number(card.steps)} updates` : 'updates unknown';
  const line = `model ${model.name}: ${model.layout.name}, labels ${model.labels.join(', ')}; ${steps}${held}`;
  const sizes = model.files ? modelBundle(model.files.config) : {};
  return {
    'text/html': `<p>${escapeHtml(line)}</p>${String(sizes['text/html'] ?? '')}`,
    'text/plain': [line, sizes['text/plain']].filter(Boolean).join('\n'),
  };
}

/** Settings, those that differ from the default first. */
export function trainConfigBundle(config: TrainConfig): MimeBundle {
  const rows = Object.entries(config).map(([setting, value]) => {
    const standard = JSON.stringify(DEFAULT_TRAIN[setting as keyof TrainConfig]);
    const own = JSON.stringify(value);
    return { setting, value: own, default: own === standard ? '' : standard };
  });
  const changed = rows.filter((row) => row.default !== '');
  const same = rows.filter((row) => row.default === '').map((row) => `${row.setting} ${row.value}`);
  const bundle = tableBundle(changed, {
    caption: `${number(config.steps)} updates of ${config.batchSize * config.accumulate} x ${number(config.contextLen)} tokens, lr ${config.lr}, ${config.schedule}; what differs from the defaults`,
  });
  return {
    'text/html': `${bundle['text/html']}<p style="max-width:60em;font-size:.9em">as by default: ${escapeHtml(same.join(', '))}</p>`,
    'text/plain': `${bundle['text/plain']}\nas by default: ${same.join(', ')}`,
  };
}

export function historyBundle(history: History): MimeBundle {
  const { steps, evals, best, notes, seconds, run } = history;
  const view = { title: run, steps, evals, best, notes, seconds, ended: endOf(history) };
  return { 'text/html': trainingHtml(view), 'text/plain': trainingText(view) };
}

export function trainedRunBundle({ model, history, how }: TrainedRun): MimeBundle {
  const line = `${how}: ${model.name}, ${number(history.step)} updates`;
  // Where something was trained, `fit` has just shown it.
  if (how !== 'loaded') return { 'text/plain': line };
  const bundle = historyBundle(history);
  return {
    'text/html': `<p>${escapeHtml(line)}</p>${bundle['text/html']}`,
    'text/plain': `${line}\n${bundle['text/plain']}`,
  };
}

/** The packets of a trace, the prompt's marked; and how many tries they took. */
export function traceBundle(trace: GeneratedTrace): MimeBundle {
  const { frames, promptPackets } = trace;
  const first = frames[0]?.tsMicros ?? 0;
  const rows = frames.slice(0, ROWS).map((frame, packet) => ({
    packet,
    seconds: ((frame.tsMicros - first) / 1e6).toFixed(6),
    from: packet < promptPackets ? 'prompt' : 'drawn',
    bytes: frame.wireLen,
    summary: summarize(decodeFrame(frame)),
  }));
  return tableBundle(rows, {
    caption: `${traceLine(trace)}${frames.length > ROWS ? `; the first ${ROWS}` : ''}`,
  });
}

function traceLine({ label, index, seed, promptPackets, report }: GeneratedTrace): string {
  const rate = firstTryRate(report);
  const refused = Object.entries(report.refused).map(([code, n]) => `${code} ${n}`);
  return [
    `${label}, trace ${index} of seed ${seed}: ${number(report.packets)} packets in ${number(report.tokens)} tokens`,
    promptPackets > 0 ? `behind a prompt of ${promptPackets}` : '',
    rate === undefined ? '' : `${(100 * rate).toFixed(1)} % decoded at first try`,
    refused.length > 0 ? `refused: ${refused.join(', ')}` : '',
    `ended by ${report.stopped}`,
  ]
    .filter(Boolean)
    .join('; ');
}

export function tracesBundle(traces: readonly GeneratedTrace[]): MimeBundle {
  const rows = traces.slice(0, ROWS).map(({ label, index, frames, promptPackets, report }) => ({
    trace: index,
    label,
    packets: report.packets,
    prompt: promptPackets,
    seconds: frames.length > 0 ? (frames[frames.length - 1].tsMicros - frames[0].tsMicros) / 1e6 : 0,
    tokens: report.tokens,
    'at first try': firstTryRate(report) ?? '',
    refused: Object.entries(report.refused)
      .map(([code, n]) => `${code} ${n}`)
      .join(', '),
    ended: report.stopped,
  }));
  return tableBundle(rows, {
    caption: `${traces.length} traces${traces.length > ROWS ? `; the first ${ROWS}` : ''}`,
  });
}

/** Distances of every source, all labels together: a number means something beside the floor and the baselines only. */
export function evaluationBundle(evaluation: Evaluation): MimeBundle {
  const { sources, similarity, validity, notes, reference } = evaluation;
  const whats = [...new Set(similarity.filter((row) => row.level === 'header').map((row) => row.what))];
  const rows = sources.map(({ name, role }) => {
    const distance = (what: string): number | string =>
      similarity.find((row) => row.source === name && row.what === what && row.label === 'macro')
        ?.jsDistance ?? '';
    const valid = validity.find((row) => row.source === name && row.label === 'pooled')?.allChecks;
    return {
      source: name,
      role,
      ...Object.fromEntries(
        [...whats, 'mean'].map((what) => [what === 'mean' ? 'fields' : what, distance(what)]),
      ),
      'all checks ok': valid && valid.checked > 0 ? valid.ok / valid.checked : '',
    };
  });
  const bundle = tableBundle(rows, {
    caption: `Jensen-Shannon distance from ${reference.path} (0: the same, 1: nothing in common), mean over the labels; ${evaluation.date.slice(0, 10)}, seed ${evaluation.seed}`,
  });
  const remarks = notes.map((note) => `<li>${escapeHtml(note)}</li>`).join('');
  return {
    'text/html': `${bundle['text/html']}${remarks && `<ul style="font-size:.9em;max-width:60em">${remarks}</ul>`}`,
    'text/plain': [bundle['text/plain'], ...notes.map((note) => `- ${note}`)].join('\n'),
  };
}

/** Tokens as boxes, a packet a line: bytes plain, marks and labels set off. */
export function tokensBundle(tokens: Uint16Array, about = '', times?: TimeTokens): MimeBundle {
  const packets: number[][] = [[]];
  for (const token of tokens.subarray(0, 4000)) {
    packets[packets.length - 1].push(token);
    if (token === PKT) packets.push([]);
    if (packets.length > ROWS) break;
  }
  const shown = packets.slice(0, ROWS).filter((packet) => packet.length > 0);
  const more = tokens.length - shown.flat().length;
  const mark = (token: number): string => {
    const bin = timeBinOfToken(times, token);
    if (times && bin !== undefined) return timeText(times.edgesMicros[bin]);
    return `label ${token - FIRST_LABEL}`;
  };
  const name = (token: number): string =>
    token < UNK ? String(token) : (SPECIAL_TOKENS[token - UNK] ?? mark(token));
  const box = (token: number): string =>
    token < UNK
      ? `<span style="padding:0 .3em">${token}</span>`
      : `<b style="background:#4d4d4d;color:#fff;border-radius:3px;padding:0 .35em;font-weight:500">${escapeHtml(name(token))}</b>`;
  const caption = `${number(tokens.length)} tokens${about}${more > 0 ? `; ${number(more)} more than shown` : ''}`;
  const lines = shown.map((packet) => `<div style="margin:.15em 0">${packet.map(box).join(' ')}</div>`);
  return {
    'text/html': `<div>${escapeHtml(caption)}</div><div style="font:12.5px/1.6 ui-monospace,Menlo,Consolas,monospace;max-width:60em">${lines.join('')}</div>`,
    'text/plain': [caption, ...shown.map((packet) => packet.map(name).join(' '))].join('\n'),
  };
}

export function encodedBundle({ tokens, packets, refusals, times }: EncodedSession): MimeBundle {
  const codes = new Map<string, number>();
  for (const { code } of refusals) codes.set(code, (codes.get(code) ?? 0) + 1);
  const refused =
    codes.size > 0 ? `, not in them: ${[...codes].map(([code, n]) => `${code} ${n}`).join(', ')}` : '';
  return tokensBundle(tokens, ` of ${number(packets)} packets${refused}`, times);
}

export function engineLine({ name, gflops, note, tf }: Engine): MimeBundle {
  const memory = tf.memory();
  const text = `engine ${name}: ${formatNumber(gflops, 2)} GFLOP/s, tfjs ${tf.version_core}, ${memory.numTensors} tensors in ${formatBytes(memory.numBytes)}${note ? ` (${note})` : ''}`;
  return { 'text/plain': text };
}

export function vocabularyLine(vocabulary: Vocabulary): MimeBundle {
  const labels = vocabulary.labels.map((label) => `${label} ${vocabulary.labelId(label)}`);
  const bins = vocabulary.times;
  const times = bins ? `, time tokens ${bins.first} to ${bins.first + bins.edgesMicros.length - 1}` : '';
  return {
    'text/plain': `${vocabulary.size} ids: bytes 0 to 255, ${SPECIAL_TOKENS.map((text, i) => `${text} ${UNK + i}`).join(', ')}, labels ${labels.join(', ')}${times}`,
  };
}

export function layoutLine(layout: Layout): MimeBundle {
  return {
    'text/plain': `layout ${layout.name}, checksums ${layout.checksums}: ${layout.description} At most ${layout.maxBytes} bytes a packet; a packet ${layout.stateful ? 'depends on those before it' : 'stands for itself'}.`,
  };
}

/** Whether a config has what only model configs have. */
export function isModelConfig(v: Record<string, unknown>): boolean {
  return (
    'd_model' in v &&
    'n_layer' in v &&
    typeof v.ssm_cfg === 'object' &&
    Object.keys(DEFAULT_CONFIG).every((key) => key in v)
  );
}
