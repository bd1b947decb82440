import { html } from './display';
import { NetssmError } from '../util';

/**
 * A checkpoint of a notebook: green where the condition holds, an error that stops the run where it does not.
 * @throws NetssmError `check_failed`
 */
export function check(what: string, condition: boolean): void {
  if (!condition) {
    throw new NetssmError('check_failed', `checkpoint: ${what}: does not hold`, {
      hint: 'Run the notebook from its top; if it still fails, compare your changes with the committed copy.',
    });
  }
  html(`<span style="color:#0a7d38">✔</span> ${what.replace(/</g, '&lt;')}`, `ok: ${what}`);
}
