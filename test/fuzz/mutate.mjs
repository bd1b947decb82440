/**
 * Damage done to real data: what disks, downloads, hostile senders and generative models do to packets and files.
 * Knows nothing of src/: what it makes must not depend on what it tests. Plain JavaScript, because scripts/fuzz.mjs
 * runs it without a build step.
 */

/**
 * Seeded random numbers (mulberry32, public domain by T. Ettinger). A case is named by its seed and number, so each can be
 * made again alone.
 *
 * @param {number} seed
 * @param {number} index
 */
export function rngOf(seed, index = 0) {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  // The first numbers of neighbouring seeds are alike.
  next();
  next();
  return {
    /** A whole number from 0 to n - 1. */
    int: (n) => Math.floor((next() / 2 ** 32) * n),
    bytes: (n) => {
      const bytes = new Uint8Array(n);
      for (let i = 0; i < n; i++) bytes[i] = next();
      return bytes;
    },
  };
}

/** Lengths and counts at which programs go wrong. */
const EDGES = [
  0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 20, 24, 40, 60, 63, 64, 127, 128, 255, 256, 1500, 1501, 0x7fff,
  0x8000, 0xffff, 0x10000, 0x40000, 0x1000000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffffc, 0xffffffff,
];

/**
 * A damaged copy of bytes; the original stays. One operation, or several on top of each other.
 *
 * @param {Uint8Array} bytes
 * @param {ReturnType<typeof rngOf>} rng
 * @param {Uint8Array} [other] further material to splice in
 */
export function mutate(bytes, rng, other = bytes) {
  let result = bytes;
  const places = rng.int(2) === 0 ? boundaries(bytes) : [];
  const times = rng.int(3) === 0 ? 1 + rng.int(8) : 1;
  for (let i = 0; i < times; i++) {
    const operation = OPERATIONS[rng.int(OPERATIONS.length)];
    result = operation(result, rng, placeIn(result, rng, places), other);
  }
  return result;
}

/** Anywhere, or where a record or block begins (or a few bytes behind: its length fields). */
function placeIn(bytes, rng, places) {
  if (bytes.length === 0) return 0;
  const place = places.length > 0 ? places[rng.int(places.length)] + 4 * rng.int(8) : rng.int(bytes.length);
  return Math.min(place, bytes.length - 1);
}

const OPERATIONS = [
  flipBit,
  setByte,
  setByte,
  setNumber,
  setNumber,
  addToNumber,
  truncate,
  cutOut,
  repeat,
  zeros,
  noise,
  splice,
  swap,
];

function flipBit(bytes, rng, at) {
  const copy = bytes.slice();
  if (copy.length > 0) copy[at] ^= 1 << rng.int(8);
  return copy;
}

function setByte(bytes, rng, at) {
  const copy = bytes.slice();
  if (copy.length > 0) copy[at] = rng.int(4) === 0 ? EDGES[rng.int(26)] : rng.int(256);
  return copy;
}

/** A number of 1, 2 or 4 bytes of either byte order becomes an edge. */
function setNumber(bytes, rng, at) {
  return putNumber(bytes, rng, at, () => EDGES[rng.int(EDGES.length)]);
}

/** ... or a little more or less than it was. */
function addToNumber(bytes, rng, at) {
  return putNumber(bytes, rng, at, (value) => value + rng.int(33) - 16);
}

function putNumber(bytes, rng, at, change) {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer, copy.byteOffset, copy.length);
  const little = rng.int(2) === 0;
  const size = [1, 2, 2, 4, 4][rng.int(5)];
  if (at + size > copy.length) return copy;
  if (size === 1) view.setUint8(at, change(view.getUint8(at)));
  else if (size === 2) view.setUint16(at, change(view.getUint16(at, little)), little);
  else view.setUint32(at, change(view.getUint32(at, little)), little);
  return copy;
}

function truncate(bytes, rng, at) {
  return bytes.slice(0, at);
}

function cutOut(bytes, rng, at) {
  return join(bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + rng.int(64))));
}

/** A piece (a record, a block, an option) comes twice, or many times. */
function repeat(bytes, rng, at) {
  const piece = bytes.subarray(at, at + 1 + rng.int(128));
  const copies = rng.int(8) === 0 ? 2 + rng.int(30) : 2;
  return join(bytes.subarray(0, at), ...new Array(copies).fill(piece), bytes.subarray(at + piece.length));
}

function zeros(bytes, rng, at) {
  return join(bytes.subarray(0, at), new Uint8Array(1 + rng.int(64)), bytes.subarray(at));
}

function noise(bytes, rng, at) {
  return join(bytes.subarray(0, at), rng.bytes(1 + rng.int(64)), bytes.subarray(at));
}

/** The beginning of one and the end of another. */
function splice(bytes, rng, at, other) {
  return join(bytes.subarray(0, at), other.subarray(rng.int(other.length + 1)));
}

function swap(bytes, rng, at) {
  const [low, high] = [at, rng.int(bytes.length + 1)].sort((a, b) => a - b);
  const middle = low + rng.int(high - low + 1);
  return join(
    bytes.subarray(0, low),
    bytes.subarray(middle, high),
    bytes.subarray(low, middle),
    bytes.subarray(high),
  );
}

function join(...parts) {
  return new Uint8Array(Buffer.concat(parts));
}

/**
 * Offsets at which the records of a pcap file or the blocks of a pcapng file begin; none for other bytes.
 *
 * @param {Uint8Array} bytes
 * @returns {number[]}
 */
export function boundaries(bytes) {
  if (bytes.length < 24) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const magic = view.getUint32(0, true);
  const places = [0];
  if (magic === 0x0a0d0d0a) {
    const little = view.getUint32(8, true) === 0x1a2b3c4d;
    for (let at = 0; at + 12 <= bytes.length && places.length < 4096;) {
      at += Math.max(12, view.getUint32(at + 4, little));
      if (at < bytes.length) places.push(at);
    }
    return places;
  }
  const little = magic === 0xa1b2c3d4 || magic === 0xa1b23c4d;
  if (!little && magic !== 0xd4c3b2a1 && magic !== 0x4d3cb2a1) return [];
  for (let at = 24; at + 16 <= bytes.length && places.length < 4096;) {
    places.push(at);
    at += 16 + view.getUint32(at + 8, little);
  }
  return places;
}

/**
 * Random bytes that begin like a packet now and then, so that they get past the first header.
 *
 * @param {ReturnType<typeof rngOf>} rng
 * @returns {Uint8Array}
 */
export function randomFrame(rng) {
  const length = rng.int(8) === 0 ? rng.int(1600) : rng.int(160);
  const bytes = rng.bytes(length);
  if (rng.int(4) === 0) for (let i = 0; i < length; i++) bytes[i] &= rng.int(256) & rng.int(256);
  const starts = STARTS[rng.int(STARTS.length)];
  bytes.set(starts.slice(0, Math.min(length, starts.length)));
  return bytes;
}

const MACS = new Array(12).fill(2);
const STARTS = [
  [],
  [...MACS, 0x08, 0x00, 0x45, 0, 0, 60, 0, 1, 0, 0, 64, 6],
  [...MACS, 0x08, 0x00, 0x45, 0, 0, 60, 0, 1, 0, 0, 64, 17],
  [...MACS, 0x08, 0x00, 0x45, 0, 0, 60, 0, 1, 0, 0, 64, 47],
  [...MACS, 0x08, 0x00, 0x45, 0, 0, 60, 0, 1, 0, 0, 64, 1],
  [...MACS, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 40],
  [...MACS, 0x81, 0x00, 0, 1, 0x08, 0x00, 0x45],
  [...MACS, 0x88, 0x47, 0, 0, 0x11, 64],
  [...MACS, 0x88, 0x64, 0x11, 0, 0, 1],
  [...MACS, 0x08, 0x06, 0, 1, 8, 0, 6, 4],
  [0x45, 0, 0, 60, 0, 1, 0, 0, 64, 17],
  [0x60, 0, 0, 0, 0, 40, 0],
  [0, 0, 8, 0, 0, 0, 0, 0, 0x08, 0],
];

/** LINKTYPE_ numbers that captures have, and a few that none has. */
export const LINK_TYPES = [
  ...[
    0, 1, 9, 10, 12, 14, 50, 101, 104, 105, 108, 109, 113, 119, 127, 149, 192, 195, 220, 228, 229, 239, 253,
    276,
  ],
  ...[147, 9999, 65535],
];
