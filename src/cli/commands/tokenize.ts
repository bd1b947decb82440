import { formatNumber } from '../../util';
import { DEFAULT_LAYOUT, defaultChecksums, LAYOUT_NAMES } from '../../tokens/layouts';
import type { ChecksumOption } from '../../tokens/meta';
import { newCommand, runAction, type Register } from '../command';
import { list, share, wholeNumber } from '../options';
import { Option } from 'commander';

interface TokenizeOptions {
  label?: string;
  labels?: string;
  labelBy: 'class' | 'service';
  classes?: string[];
  layout: string;
  checksums?: ChecksumOption;
  unit: 'session' | 'flow';
  timeTokens?: boolean;
  out: string;
  validationShare: number;
  testShare: number;
  seed: number;
  json?: boolean;
}

/** `netssm tokenize`. */
export const registerTokenize: Register = (program, finish) => {
  newCommand(program, 'tokenize', 'captures -> dataset folder of token sequences', [
    'netssm tokenize data/captures --out out/tokens    # the subfolders are the labels',
    'netssm tokenize day1.pcap day2.pcap --label office --out out/office',
    'netssm tokenize captures --labels labels.csv --layout paper-94 --out out/paper',
    'netssm tokenize data/captures --time-tokens --out out/timed    # the model then says when packets come, too',
    'netssm tokenize data/testbed/set --classes dash,hls,sip --out out/testbed    # a packed set, with its own test split',
  ])
    .argument('<captures...>', 'capture files, folders of them, packed sets')
    .addOption(new Option('--label <name>', 'one label for everything').conflicts('labels'))
    .option('--labels <file>', 'CSV with the columns path and label (and, if wanted, split)')
    .addOption(
      new Option('--label-by <what>', 'what names the sessions of a packed set')
        .choices(['class', 'service'])
        .default('class'),
    )
    .option('--classes <a,b>', 'only these labels (of a packed set: classes)', list)
    .addOption(
      new Option('--layout <name>', 'how packets become bytes').choices(LAYOUT_NAMES).default(DEFAULT_LAYOUT),
    )
    .addOption(
      new Option(
        '--checksums <how>',
        'keep: as captured; drop (compact-rel) and zero (the others): left out or 0, and computed on decoding ' +
          `(default: ${defaultChecksums(DEFAULT_LAYOUT)} in ${DEFAULT_LAYOUT}, else keep)`,
      ).choices(['keep', 'zero', 'drop']),
    )
    .addOption(
      new Option('--unit <what>', 'what one sequence is').choices(['session', 'flow']).default('session'),
    )
    .option(
      '--time-tokens',
      'a token before every packet but the first: how long after the one before it came, in one of 32 bins',
    )
    .requiredOption('--out <dir>', 'dataset folder to write')
    .option('--validation-share <p>', 'share of the captures for validation', share, 0.15)
    .option('--test-share <p>', 'share of the captures for testing', share, 0)
    .option('--seed <n>', 'decides the split', wholeNumber, 0)
    .action((captures: string[], options: TokenizeOptions) =>
      runAction(options, finish, async (io) => {
        const { buildDataset, collectInputs } = await import('../../tokens/index.js');
        const inputs = collectInputs(captures, {
          label: options.label,
          labelsCsv: options.labels,
          labelBy: options.labelBy,
          classes: options.classes,
        });
        const progress = io.progress('tokenize');
        const meta = await buildDataset({
          inputs,
          layout: options.layout,
          checksums: options.checksums,
          out: options.out,
          unit: options.unit,
          timeTokens: options.timeTokens,
          validationShare: options.validationShare,
          testShare: options.testShare,
          seed: options.seed,
          onProgress: progress.report,
        });
        progress.finish();
        const { totals } = meta;
        io.print(
          `${options.out}: ${totals.sequences.toLocaleString('en')} sequences of ${meta.labels.length} labels, ` +
            `${totals.packets.toLocaleString('en')} packets, ${totals.tokens.toLocaleString('en')} tokens ` +
            `(${formatNumber(totals.tokens / Math.max(1, totals.packets))} a packet)`,
        );
        for (const split of ['train', 'validation', 'test'] as const) {
          const part = totals.perSplit[split];
          io.print(
            `  ${split.padEnd(10)} ${part.sources} captures, ${part.sequences} sequences, ${part.tokens.toLocaleString('en')} tokens`,
          );
        }
        const refused = Object.entries(meta.refusals);
        if (refused.length > 0) {
          io.note(
            `Not representable in ${meta.layout}: ${refused.map(([code, n]) => `${n} ${code}`).join(', ')}`,
          );
        }
        const { sequences: _sequences, ...summary } = meta;
        io.result({ out: options.out, ...summary });
      }),
    );
};
