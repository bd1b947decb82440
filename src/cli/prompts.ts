import { statSync } from 'node:fs';
import type { Frame } from '../capture';
import type { Layout } from '../tokens';
import type { PromptSource } from '../generate';
import { NetssmError, Rng } from '../util';

/** What a trace goes on from, and where it comes from. */
export interface ChosenPrompt {
  frames: Frame[];
  source: PromptSource;
}

/** The prompts of a command: one capture for all traces, or of a set a capture of the label for each. */
export interface PromptChoice {
  /** Whether traces of one label have prompts of their own. */
  several: boolean;
  /** Labels that there are prompts for; undefined: any. */
  labels: readonly string[] | undefined;
  /** @throws NetssmError `prompt_missing`, `prompt_empty`, and those of reading captures. */
  of(label: string, index: number): Promise<ChosenPrompt>;
}

/** Packets at a capture's start among which the first that the layout holds is looked for. */
const SEARCHED = 20;

/**
 * Reads `--prompt`: a capture, or a folder of labelled captures or data set, whose captures for testing are dealt to the
 * traces of their label in an order that the seed decides, starting over where there are fewer.
 */
export async function openPrompts(
  path: string,
  packets: number,
  layout: Layout,
  seed: number,
): Promise<PromptChoice> {
  if (path !== 'testbed' && path !== 'bundled' && !isFolder(path)) {
    const { readCapture } = await import('../capture/index.js');
    const frames = (await readCapture(path)).frames.slice(0, packets);
    if (frames.length === 0)
      throw new NetssmError('prompt_empty', `${path} holds no packets`, { exitCode: 2 });
    const prompt = { frames, source: { capture: path } };
    return { several: false, labels: undefined, of: () => Promise.resolve(prompt) };
  }
  const { openExperimentData } = await import('../experiments/index.js');
  const all = { classes: null, trainSessions: null, testSessions: null };
  const { classes, sessions } = openExperimentData(path, all, seed);
  const byLabel = new Map(
    classes.map((label) => [
      label,
      new Rng(seed)
        .split(`prompts/${label}`)
        .shuffle(sessions.filter((session) => session.label === label && session.split === 'test')),
    ]),
  );
  return {
    several: true,
    labels: classes,
    async of(label, index) {
      const own = byLabel.get(label);
      if (!own)
        throw new NetssmError('prompt_missing', `${path} has no captures of ${label} to take prompts from`, {
          hint: `It has ${classes.join(', ')}.`,
          exitCode: 2,
        });
      const session = own[index % own.length];
      const frames = await session.frames();
      const first = frames
        .slice(0, SEARCHED)
        .findIndex((frame) => layout.encoder({ linkType: frame.linkType }).encode(frame).ok);
      if (first < 0)
        throw new NetssmError(
          'prompt_empty',
          `none of the first packets of ${session.id} fits ${layout.name}`,
          {
            exitCode: 2,
          },
        );
      return { frames: frames.slice(first, first + packets), source: { capture: session.id, label } };
    },
  };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
