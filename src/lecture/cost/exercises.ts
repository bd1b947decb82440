import { inspectable } from '../../util';
import type { Verdict } from '../linear';
import { fullConfig, makeNet, netStepper, type FullNetConfig, type NetConfig } from '../nets';
import type { TF } from '../../tensor';
import { netOperations } from './operations';

/** In a notebook a verdict shows itself in words. */
function verdict(right: boolean, message: string): Verdict {
  return inspectable({ right, message }, (each) => `${each.right ? '✔' : '✘ not yet:'} ${each.message}`);
}

/** What a session of 1,000 packets costs, and the one that is asked for. */
export const GROWTH_TASK = { from: 1000, to: 10_000 } as const;

/** ★ How many times as much a session of 10,000 packets costs as one of 1,000: attention's part, and Mamba. */
export function judgeGrowth(attention: number, mamba: number): Verdict {
  if (!(attention > 0 && mamba > 0)) {
    return verdict(
      false,
      'write two factors: by how much attention, and by how much Mamba grows. Which exponents were fitted above?',
    );
  }
  if (Math.abs(mamba / 10 - 1) > 0.3) {
    const often = mamba > 10 ? 'more' : 'less';
    return verdict(
      false,
      `Mamba reads every token once, at the same cost: not ${often} than ten times for ten times the packets.`,
    );
  }
  const grown = Math.abs(attention / 100 - 1) <= 0.6;
  return verdict(
    grown,
    grown
      ? `attention ${attention} x, Mamba ${mamba} x: ten times longer, and the exponents are 2 and 1.`
      : `attention ${attention} x: every token is compared with every other. How many pairs are there, ten times as many tokens?`,
  );
}

/** The function that exercise ★★ asks for: bytes of an attention net's cache after so many tokens. */
export type CacheAnswer = (config: FullNetConfig, tokens: number) => number | undefined;

/** ★★ Bytes that attention keeps of the tokens before; compared with those that the step form holds. */
export function judgeCache(tf: TF, answer: CacheAnswer): Verdict {
  const configs: NetConfig[] = [
    { mixer: 'attention', vocab_size: 20, d_model: 32, n_layer: 1 },
    { mixer: 'attention', vocab_size: 20, d_model: 64, n_layer: 3, nheads: 4 },
  ];
  for (const given of configs) {
    const config = fullConfig(given);
    const net = makeNet(tf, given, 1);
    const stepper = netStepper(net);
    net.dispose();
    for (const tokens of [1, 7, 40]) {
      stepper.reset();
      for (let i = 0; i < tokens; i++) stepper.step(i % 20);
      const [said, held] = [answer(config, tokens), stepper.stateBytes()];
      if (said === held) continue;
      const place = `${config.n_layer} layers of width ${config.d_model} hold ${held} bytes after ${tokens} tokens`;
      if (!said)
        return verdict(
          false,
          `${place}. Which vectors of every token before does a new token need, and of how many numbers?`,
        );
      const off = held / said;
      const hint =
        off === 2
          ? 'Keys *and* values.'
          : off === 4
            ? 'A float32 has four bytes.'
            : off === config.n_layer
              ? 'Every layer has a cache of its own.'
              : 'Keys and values, of D numbers each, in every layer, four bytes a number.';
      return verdict(false, `${place}, your function says ${said}. ${hint}`);
    }
  }
  return verdict(
    true,
    'the same bytes as the step form holds, at every length. For Mamba this function would not need `tokens`.',
  );
}

/**
 * ★★★ Attention that sees only the last W tokens costs the same at every length. The largest W with which scores and
 * weighted sum of a net cost no more operations a token than Mamba-1's scan at the same width and depth.
 */
export function judgeWindow(
  window: number,
  config: { d_model: number; n_layer: number; vocab_size: number },
): Verdict {
  const scan = netOperations({ ...config, mixer: 'mamba1' }, 4096).mixing;
  const attention = (W: number) => netOperations({ ...config, mixer: 'attention' }, W).mixing;
  if (!(Number.isInteger(window) && window >= 1)) {
    return verdict(
      false,
      `the scan costs ${Math.round(scan).toLocaleString('en')} operations a token. What does attention cost for one token in the window, \`netOperations({ ...config, mixer: "attention" }, 1).mixing\`?`,
    );
  }
  const [own, more] = [attention(window), attention(window + 1)];
  const shown = `${window} tokens cost ${Math.round(own).toLocaleString('en')} operations, the scan ${Math.round(scan).toLocaleString('en')}`;
  if (own > scan) return verdict(false, `${shown}: the window is too long.`);
  if (more <= scan) return verdict(false, `${shown}: one token more would still be paid for.`);
  return verdict(
    true,
    `${shown}. For that price attention remembers ${window} tokens exactly, Mamba all of them roughly.`,
  );
}
