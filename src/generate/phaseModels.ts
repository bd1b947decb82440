import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PHASES, type Phase } from '../tokens';
import { inspectable, NetssmError } from '../util';
import { loadModel, modelLine, phasesBelow, type LoadedModel, type LoadOptions } from './model';
import { PhaseStepper } from './phaseStepper';

/** A model folder for each phase. */
export type PhaseFolders = Readonly<Record<Phase, string>>;

/**
 * Folders from text: `handshake=DIR,data=DIR,teardown=DIR` in any order, or one folder that holds the subfolders
 * `handshake`, `data` and `teardown`.
 * @throws NetssmError `phases_invalid`.
 */
export function parsePhaseFolders(text: string): PhaseFolders {
  const invalid = (why: string) =>
    new NetssmError('phases_invalid', `"${text}" does not name models by phase: ${why}`, {
      hint: 'Give handshake=DIR,data=DIR,teardown=DIR or a folder with the subfolders handshake, data and teardown.',
      exitCode: 2,
    });
  if (!text.includes('=')) {
    const below = phasesBelow(text);
    if (below) return below;
    const missing = PHASES.filter((phase) => !existsSync(join(text, phase)));
    throw invalid(
      missing.length > 0 ? `${text} has no subfolder ${missing.join(', ')}` : `${text} is a model`,
    );
  }
  const folders: Partial<Record<Phase, string>> = {};
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    const name = part.slice(0, Math.max(0, at)).trim();
    const phase = PHASES.find((each) => each === name);
    const dir = part.slice(at + 1).trim();
    if (!phase || dir === '') throw invalid(`"${part.trim()}" is no PHASE=DIR`);
    if (folders[phase] !== undefined) throw invalid(`${phase} is named twice`);
    folders[phase] = dir;
  }
  const missing = PHASES.filter((phase) => folders[phase] === undefined);
  if (missing.length > 0) throw invalid(`${missing.join(', ')} is missing`);
  return folders as Record<Phase, string>;
}

/**
 * Three models that draw a flow together: each the packets of its phase, the tokens so far being the next one's prompt
 * (NetSSM section 5.1.1). They must have come from one base: labels, layout and time tokens are the same. Gaps come from
 * the data model's timing.json.
 *
 * @throws NetssmError `phases_differ` saying in what, `phase_wrong` where a model was fine-tuned for another phase, and as
 *   {@link loadModel}.
 */
export async function loadPhaseModels(
  folders: PhaseFolders,
  options: LoadOptions = {},
): Promise<LoadedModel> {
  const models = {} as Record<Phase, LoadedModel>;
  for (const phase of PHASES) {
    const model = await loadModel(folders[phase], options);
    const own = model.card.phase;
    if (own !== undefined && own !== phase)
      throw new NetssmError('phase_wrong', `${folders[phase]} was trained for ${String(own)}, not ${phase}`, {
        exitCode: 2,
      });
    models[phase] = model;
  }
  const { data } = models;
  for (const phase of PHASES) {
    const difference = differs(models[phase], data);
    if (difference !== undefined)
      throw new NetssmError(
        'phases_differ',
        `${folders[phase]} (${phase}) and ${folders.data} (data) have other ${difference}`,
        { hint: 'Fine-tune all three from one model, on one data set.', exitCode: 2 },
      );
  }
  const steppers = Object.fromEntries(PHASES.map((phase) => [phase, models[phase].stepper]));
  const name = PHASES.map((phase) => `${phase}=${folders[phase]}`).join(',');
  const { files: _files, ...rest } = data;
  const model: LoadedModel = {
    ...rest,
    name,
    card: { ...data.card, phase: undefined, phases: folders },
    stepper: new PhaseStepper(steppers as Record<Phase, LoadedModel['stepper']>) as LoadedModel['stepper'],
  };
  return inspectable(model, modelLine);
}

/** In what two models cannot continue each other's sequences. */
function differs(a: LoadedModel, b: LoadedModel): string | undefined {
  const texts = ({ vocabulary }: LoadedModel) =>
    Array.from({ length: vocabulary.size }, (_, id) => vocabulary.text(id)).join();
  if (a.layout.name !== b.layout.name) return `layouts: ${a.layout.name} and ${b.layout.name}`;
  if (a.checksums !== b.checksums) return `checksums: ${a.checksums} and ${b.checksums}`;
  if (texts(a) !== texts(b)) return 'vocabularies (labels, time tokens)';
  return undefined;
}
