import { quantile } from '../stats';
import { NetssmError } from '../util';
import type { LabelSize } from './evaluation';
import type { Trace, TraceFolder } from './traces';

/** Labels that only one side has. @throws NetssmError `labels_disjoint` where there is no common one. */
export function labelNotes(reference: readonly string[], judged: readonly string[]): string[] {
  const both = judged.filter((label) => reference.includes(label));
  if (both.length === 0) {
    throw new NetssmError(
      'labels_disjoint',
      `no label is in both folders: real has ${reference.join(', ')}, synthetic has ${judged.join(', ')}`,
      { hint: 'A label is the name of the subfolder, or the file name before -NNN.', exitCode: 2 },
    );
  }
  const notes: string[] = [];
  const only = (a: readonly string[], b: readonly string[]): string =>
    a.filter((l) => !b.includes(l)).join(', ');
  const extra = only(judged, reference);
  const missing = only(reference, judged);
  if (extra) notes.push(`Not compared, because there is no real capture of it: ${extra}.`);
  if (missing) notes.push(`Not judged, because no capture of it was generated: ${missing}.`);
  return notes;
}

/** Labels of which not every packet was read. */
export function cutNotes(folders: readonly (TraceFolder | null)[]): string[] {
  return folders.flatMap((folder) =>
    folder && folder.cut.length > 0
      ? [`Of ${folder.path} only the first packets of these labels were read: ${folder.cut.join(', ')}.`]
      : [],
  );
}

/** Labels of whose packets nothing can be measured. */
export function emptyNotes(perLabel: Readonly<Record<string, LabelSize>>): string[] {
  const empty = Object.entries(perLabel).flatMap(([label, { tcp, udp }]) => (tcp + udp === 0 ? [label] : []));
  return empty.length > 0
    ? [`Not measured, because the real captures hold no TCP or UDP over Ethernet: ${empty.join(', ')}.`]
    : [];
}

/** Traces that do not say whose beginning their prompt was are compared with whatever real one comes next. */
export function twinNotes(name: string, traces: readonly Trace[]): string[] {
  const without = traces.filter(({ twin }) => twin === undefined).length;
  if (without === 0) return [];
  const which = without === traces.length ? 'Captures' : `${without} of ${traces.length} captures`;
  return [
    `${which} of ${name} are held against real ones in their order where they are compared one by one (attributes, ` +
      'segments, sending patterns): no generation.json names a prompt for them that is among the real captures.',
  ];
}

/** Judged traces that are much shorter than real ones show the start of a session only. */
export function lengthNotes(reference: readonly Trace[], judged: readonly Trace[]): string[] {
  const middle = (traces: readonly Trace[]): number =>
    quantile(
      traces.map((t) => t.packets.length).sort((a, b) => a - b),
      0.5,
    );
  const [real, made] = [Math.round(middle(reference)), Math.round(middle(judged))];
  return made * 2 < real
    ? [
        `The judged captures are shorter than the real ones (median ${made} and ${real} packets), and the start of a ` +
          'session differs from the whole: firstPackets compares starts with starts.',
      ]
    : [];
}
