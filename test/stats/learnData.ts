import { matrix, type Matrix } from '../../src/stats';

/** The data of scripts/golden/forest.py: xorshift32 and whole numbers, the same on both sides. */
function* numbers(seed: number): Generator<number, never> {
  let x = seed;
  for (;;) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    yield x >>> 0;
  }
}

export interface LearnData {
  X: Matrix;
  y: number[];
}

export function ternary(
  seed: number,
  items: number,
  columns: number,
  classes: number,
  follow: number,
): LearnData {
  const draw = numbers(seed);
  const next = (): number => draw.next().value;
  const template = Array.from({ length: classes * columns }, () => (next() % 3) - 1);
  const data = new Int8Array(items * columns);
  const y: number[] = [];
  for (let i = 0; i < items; i++) {
    const k = next() % classes;
    for (let c = 0; c < columns; c++) {
      const r = next() >>> 8;
      data[i * columns + c] = (r & 255) < follow ? template[k * columns + c] : (r >> 8) & 1;
    }
    y.push(k);
  }
  return { X: matrix(data, items, columns), y };
}

export function sizes(seed: number, items: number, columns: number, classes: number): LearnData {
  const draw = numbers(seed);
  const next = (): number => draw.next().value;
  const data = new Float64Array(items * columns);
  const y: number[] = [];
  for (let i = 0; i < items; i++) {
    const k = next() % classes;
    for (let c = 0; c < columns; c++) {
      const r = next() >>> 8;
      const base = r & 1 ? 60 + ((k * 7 + c * 5) % 11) * 40 : 600 + ((k * 3 + c) % 7) * 90;
      data[i * columns + c] = base + ((next() >>> 8) % 240) + ((next() >>> 8) % 240);
    }
    y.push(k);
  }
  return { X: matrix(data, items, columns), y };
}

/** `(x - 500) / 300`, for the machines. */
export function scaled({ data, rows, columns }: Matrix): Matrix {
  return matrix(
    Float64Array.from(data, (v) => (v - 500) / 300),
    rows,
    columns,
  );
}
