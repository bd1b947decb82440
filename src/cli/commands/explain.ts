import { NetssmError, writeFileAtomic } from '../../util';
import type { CaptureExplanation, Explanation } from '../../generate';
import type { MimeBundle } from '../../notebook';
import { newCommand, runAction, type Register } from '../command';
import type { Io } from '../io';
import { positiveWhole, wholeNumber } from '../options';

interface ExplainOptions {
  model: string;
  label?: string;
  packet?: number;
  context?: number;
  top: number;
  html?: string;
  json?: boolean;
}

/** `netssm explain`. */
export const registerExplain: Register = (program, finish) => {
  newCommand(
    program,
    'explain',
    'what a model expected of a packet, token by token; of a capture, field by field',
    [
      'netssm explain data/captures/web/web-16.pcap --packet 12 --label web',
      'netssm explain data/captures/web/web-16.pcap    # which header fields cost the model most',
      'netssm explain new.pcap --model runs/first --packet 40 --context 20 --html packet.html',
      'netssm explain new.pcap --packet 7 --json | jq \'.tokens[] | select(.verdict == "broken")\'',
    ],
  )
    .argument('<capture>', 'capture file: the packets of one session')
    .option('--model <dir>', 'model or run folder; `demo` and `testbed` ship with netssm', 'demo')
    .option('--label <name>', 'what kind of traffic it is (default: the label that fits best)')
    .option('--packet <n>', 'explain this packet, counted from 1 as in `netssm inspect`', positiveWhole)
    .option('--context <n>', 'with --packet: read only so many packets before it (default: all)', wholeNumber)
    .option('--top <k>', 'with --packet: how many candidates to keep of each token', positiveWhole, 5)
    .option('--html <file>', 'write the pictures to a file for a browser')
    .action((capture: string, options: ExplainOptions) =>
      runAction(options, finish, (io) => explainFile(capture, options, io)),
    );
};

async function explainFile(capture: string, options: ExplainOptions, io: Io): Promise<void> {
  if (options.packet === undefined && options.context !== undefined) {
    throw new NetssmError('explain_options', '--context needs --packet', {
      hint: 'A capture as a whole is read from its first packet.',
      exitCode: 2,
    });
  }
  const { readCapture } = await import('../../capture/index.js');
  const { loadModel } = await import('../../generate/index.js');
  const { captureExplanationBundle, explain, explainCapture, explanationBundle } =
    await import('../../notebook/index.js');
  const { frames } = await readCapture(capture);
  const { packet } = options;
  if (packet !== undefined && packet > frames.length) {
    throw new NetssmError('packet_missing', `${capture} has no packet ${packet}, it holds ${frames.length}`, {
      hint: '`netssm inspect --packets FILE` lists them; they are counted from 1.',
      exitCode: 2,
    });
  }
  const model = await loadModel(options.model);
  const progress = io.progress('explain');
  let result: Explanation | CaptureExplanation;
  let shown: MimeBundle;
  if (packet === undefined) {
    result = await explainCapture(model, frames, { label: options.label, onProgress: progress.report });
    shown = captureExplanationBundle(result);
  } else {
    const { label, context, top } = options;
    const settings = { packet: packet - 1, label, context, top, onProgress: progress.report };
    result = await explain(model, frames, settings);
    shown = explanationBundle(result, packet);
  }
  progress.finish();
  io.print(shown['text/plain']);
  if (options.html !== undefined) {
    writeFileAtomic(options.html, page(capture, shown['text/html'] ?? ''));
    io.print(`\nwritten: ${options.html}`);
  }
  io.result({ capture, ...(packet !== undefined && { packetNumber: packet }), ...result });
}

const STYLE =
  ':root{color-scheme:light dark;--nf-fg0:CanvasText;--nf-bg0:Canvas}' +
  'body{font:15px/1.5 system-ui,"Segoe UI",Helvetica,Arial,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}' +
  'table{font-size:13px}th,td{padding:.1em .6em;text-align:left;vertical-align:top}tbody tr:nth-child(even){background:#8881}' +
  'summary{cursor:pointer;margin:.6em 0}';

function page(capture: string, markup: string): string {
  const title = capture.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  return (
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<title>${title}, explained</title><style>${STYLE}</style><h1>${title}, explained</h1>${markup}</html>\n`
  );
}
