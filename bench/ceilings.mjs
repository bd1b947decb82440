import { bestSeconds, floats, round } from './measure.mjs';

/**
 * What this machine can do, through the library itself: the fastest square product, copies at sizes that live in each
 * cache, exp. Everything else is quoted as a share of these.
 */
export function measureCeilings(addon, { budgetMs = 200 } = {}) {
  const gemm = (n) => {
    const [a, b, c] = [floats(n * n, 1), floats(n * n, 2), new Float32Array(n * n)];
    const seconds = bestSeconds(() => {
      addon.params.set([0, 0, n, n, n, 1, 1, 1]);
      addon.gemm(a, b, c, null);
    }, budgetMs);
    return (2 * n ** 3) / seconds / 1e9;
  };
  const unary = (op, n, bytes) => {
    const [x, y] = [floats(n), new Float32Array(n)];
    const repeat = Math.max(1, Math.floor(1e6 / n));
    const seconds = bestSeconds(() => {
      for (let i = 0; i < repeat; i++) addon.unary(op, x, y, 0, 0);
    }, budgetMs);
    return (repeat * n * bytes) / seconds / 1e9;
  };
  const read = (n) => {
    const [x, y] = [floats(n), new Float32Array(1)];
    const repeat = Math.max(1, Math.floor(1e6 / n));
    const seconds = bestSeconds(() => {
      for (let i = 0; i < repeat; i++) addon.reduce(0, x, y, 1, n, 1, 1);
    }, budgetMs);
    return (repeat * n * 4) / seconds / 1e9;
  };
  const [copy, exp] = [26, 0];
  return {
    isa: addon.isa(),
    threads: addon.threads(),
    sgemmGflops: round(Math.max(gemm(256), gemm(512), gemm(1024))),
    copyGBs: {
      '64 KB': round(unary(copy, 8192, 8)),
      '1 MB': round(unary(copy, 131072, 8)),
      '16 MB': round(unary(copy, 2 ** 21, 8)),
      '256 MB': round(unary(copy, 2 ** 25, 8)),
    },
    readGBs: { '9 MB': round(read(9 * 2 ** 18)), '256 MB': round(read(2 ** 26)) },
    expGs: round(unary(exp, 131072, 1)),
  };
}
