/** Settings of a run from `--set key=value`. */
import { NetssmError } from '../util';

type Tree = { [key: string]: unknown };

/**
 * `key=value`, the later one counting; the value is JSON, or text where it is none. A key may lead into an object,
 * `model.ssm_cfg.d_state=64`: its other keys stay as `base` has them.
 * @throws NetssmError `setting_invalid`.
 */
export function readSettings<T extends object>(given: readonly string[], base: T): Partial<T> {
  const out: Tree = {};
  for (const text of given) {
    const at = text.indexOf('=');
    const path = text.slice(0, Math.max(0, at)).split('.');
    if (at < 1 || path.some((key) => !/^[A-Za-z]\w*$/.test(key)))
      throw new NetssmError('setting_invalid', `--set ${text}: expected key=value`, {
        hint: 'For example --set lr=1e-3 or --set model.n_layer=8.',
        exitCode: 2,
      });
    let into = out;
    let before: unknown = base;
    for (const key of path.slice(0, -1)) {
      before = asTree(before)[key];
      into = into[key] = { ...asTree(before), ...asTree(into[key]) };
    }
    into[path[path.length - 1]] = valueOf(text.slice(at + 1));
  }
  return out as Partial<T>;
}

const asTree = (value: unknown): Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Tree) : {};

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
