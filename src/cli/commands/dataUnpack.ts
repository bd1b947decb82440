import { Option, type Command } from 'commander';
import { newCommand, runAction, type Register } from '../command';
import { interruptible } from '../io';
import { list } from '../options';

interface UnpackCommandOptions {
  out: string;
  split?: 'train' | 'test';
  classes?: string[];
  json?: boolean;
}

/** `netssm data unpack`. */
export const registerDataUnpack = (data: Command, finish: Parameters<Register>[1]): void => {
  newCommand(data, 'unpack', 'a packed set -> captures, one file a session, for whatever reads files', [
    'netssm data unpack testbed --out out/testbed',
    'netssm data unpack testbed --split test --classes dash,hls,sip --out out/real    # for netssm evaluate --real',
  ])
    .argument('<set>', 'testbed, or the folder of a packed set')
    .requiredOption(
      '--out <dir>',
      'folder to write: <label>/<id>.pcap and manifest.json with labels and split',
    )
    .addOption(new Option('--split <name>', 'only this part').choices(['train', 'test']))
    .option('--classes <a,b>', 'only these', list)
    .action((set: string, options: UnpackCommandOptions) =>
      runAction(options, finish, async (io) => {
        const { unpackDataset } = await import('../../flows/index.js');
        const progress = io.progress('unpack');
        const { out, split, classes } = options;
        const { files, unpacked } = await interruptible((signal) =>
          unpackDataset(set, { out, split, classes, signal, onProgress: progress.report }),
        );
        progress.finish();
        const packets = files.reduce((sum, file) => sum + file.packets, 0);
        io.print(
          `${out}: ${files.length} captures of ${new Set(files.map((f) => f.label)).size} classes, ` +
            `${packets.toLocaleString('en')} packets; ${unpacked.licence}`,
        );
        if (!unpacked.complete) io.note('stopped: run again to continue');
        io.result({ out, ...unpacked, files });
        return unpacked.complete ? 0 : 1;
      }),
    );
};
