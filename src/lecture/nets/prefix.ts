import type { Params } from '../../model';

/** The parameters below a prefix, without it. */
export function below(params: Params, prefix: string): object {
  const own = Object.entries(params).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
