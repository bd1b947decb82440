/** A notebook's parameters: defaults in the notebook, overridden from the command line. */
import { NetssmError } from '../util';

/** What a parameter may be. */
export type ParamValue = string | number | boolean | null;

/** Types of parameters with these defaults: any number where the default is 5, either truth where it is false. */
export type ParamsOf<T> = {
  [Name in keyof T]: T[Name] extends number
    ? number
    : T[Name] extends string
      ? string
      : T[Name] extends boolean
        ? boolean
        : ParamValue;
};

/** True when the notebook runs in fast mode: `run-notebook --fast`, or NETSSM_FAST=1 in the environment. */
export function fastMode(): boolean {
  return process.env.NETSSM_FAST === '1';
}

/**
 * The notebook's parameters. `netssm run-notebook --set steps=50` (or NETSSM_PARAMS='{"steps":50}') overrides
 * `defaults`; in fast mode `fast` does so before.
 * @throws NetssmError `param_unknown` / `param_type` for an override that is no parameter or of another type.
 */
export function params<T extends Record<string, ParamValue>>(
  defaults: T,
  fast: Partial<ParamsOf<T>> = {},
): ParamsOf<T> {
  const values = { ...defaults, ...(fastMode() ? fast : {}) } as ParamsOf<T>;
  for (const [name, value] of Object.entries(overrides())) {
    if (!Object.hasOwn(defaults, name)) {
      throw new NetssmError('param_unknown', `there is no parameter ${name} in this notebook`, {
        hint: `It has: ${Object.keys(defaults).join(', ')}.`,
        exitCode: 2,
      });
    }
    const wanted = typeof defaults[name];
    if (defaults[name] !== null && typeof value !== wanted) {
      throw new NetssmError('param_type', `parameter ${name} is a ${wanted}, not ${JSON.stringify(value)}`, {
        exitCode: 2,
      });
    }
    (values as Record<string, ParamValue>)[name] = value;
  }
  return values;
}

function overrides(): Record<string, ParamValue> {
  const text = process.env.NETSSM_PARAMS;
  if (!text) return {};
  try {
    return JSON.parse(text) as Record<string, ParamValue>;
  } catch (cause) {
    throw new NetssmError('param_json', `NETSSM_PARAMS is not JSON: ${text}`, {
      hint: `Write it like NETSSM_PARAMS='{"steps":50}'.`,
      exitCode: 2,
      cause,
    });
  }
}

/** `name=value` of `--set` as a pair; numbers, true, false and null are recognised, everything else is text. */
export function parseSetting(text: string): [string, ParamValue] {
  const match = /^([A-Za-z_]\w*)=(.*)$/s.exec(text);
  if (!match) {
    throw new NetssmError('param_syntax', `--set ${text}: expected name=value`, {
      hint: 'For example --set steps=50.',
      exitCode: 2,
    });
  }
  const [, name, value] = match;
  if (value === 'true' || value === 'false') return [name, value === 'true'];
  if (value === 'null') return [name, null];
  const asNumber = Number(value);
  return [name, value.trim() !== '' && Number.isFinite(asNumber) ? asNumber : value];
}
