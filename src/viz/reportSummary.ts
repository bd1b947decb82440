import { bestBaseline, type Evaluation, type SimilarityRow, type ValidityRow } from '../evaluate';
import type { LossBar } from './lossFigures';
import { percent } from './reportTables';
import { sourceStyle } from './theme';

/** A number on a card, with what it is and what to hold it against. */
export interface SummaryCard {
  value: string;
  title: string;
  beside: string;
}

/** The few numbers that answer "is it any good?", each beside its bar. */
export function summaryCards(
  evaluation: Evaluation | null,
  model: LossBar | undefined,
  baselines: readonly LossBar[],
): SummaryCard[] {
  const cards: SummaryCard[] = [];
  if (model && baselines.length > 0) {
    const best = bestBaseline(baselines);
    const gain = 1 - model.lossNats / best.lossNats;
    cards.push({
      value: model.lossNats.toFixed(3),
      title: 'held-out loss, nats a token',
      beside: `${percent(Math.abs(gain))} ${gain >= 0 ? 'below' : 'ABOVE'} the best baseline (${best.name}, ${best.lossNats.toFixed(3)})`,
    });
  }
  if (!evaluation) return cards;
  const judged = evaluation.sources.find(({ role }) => role === 'synthetic');
  if (!judged) return cards;
  if (judged.decodeRate !== null) {
    cards.push({
      value: percent(judged.decodeRate),
      title: 'of attempts became packets',
      beside: rates(
        evaluation,
        (name) => evaluation.sources.find((s) => s.name === name)?.decodeRate ?? undefined,
      ),
    });
  }
  const valid = (name: string): number | undefined => {
    const all = row(evaluation, name)?.allChecks;
    return all && all.checked > 0 ? all.ok / all.checked : undefined;
  };
  addRate(cards, valid(judged.name), 'of packets pass every check', evaluation, valid);
  const handshakes = (name: string): number | undefined => {
    const tcp = row(evaluation, name)?.tcp;
    return tcp && tcp.withSyn > 0 ? tcp.handshakes / tcp.withSyn : undefined;
  };
  addRate(
    cards,
    handshakes(judged.name),
    'of connections with a SYN complete the handshake',
    evaluation,
    handshakes,
  );
  for (const [what, title] of [
    ['tcp', 'TCP header bits: JS distance from held-out real'],
    ['mean', 'header fields: mean JS distance from held-out real'],
  ] as const) {
    const value = macro(evaluation, judged.name, what);
    if (value === undefined) continue;
    const others = evaluation.sources
      .filter(({ role, name }) => role === 'floor' || name === 'shuffled fields' || name === 'constant')
      .flatMap(({ name }) => {
        const other = macro(evaluation, name, what);
        return other === undefined ? [] : [`${sourceStyle(name).title} ${other.toFixed(3)}`];
      });
    cards.push({ value: value.toFixed(3), title, beside: others.join('; ') });
  }
  cards.push(...suiteCards(evaluation, judged.name));
  return cards;
}

/** One number of each of the suites that look beyond single packets. */
function suiteCards(evaluation: Evaluation, judged: string): SummaryCard[] {
  const cards: SummaryCard[] = [];
  const { compliance, memorisation, utility } = evaluation;
  const flows = (source: string): number | undefined => {
    const found = compliance?.rows.find((r) => r.source === source && r.label === 'pooled')?.flows;
    return found && found.all > 0 ? found.violating / found.all : undefined;
  };
  addRate(cards, flows(judged), 'of flows break a rule of their protocols', evaluation, flows);
  const near = (source: string) =>
    memorisation?.rows.find((r) => r.source === source && r.label === 'pooled') ?? null;
  const own = near(judged);
  if (own?.nearest) {
    const real = near('reference')?.nearest;
    cards.push({
      value: own.nearest.mean.toFixed(3),
      title: 'mean distance of TCP headers from the nearest training packet',
      beside: `${real ? `real ${real.mean.toFixed(3)}; ` : ''}identical to one: ${percent(own.identicalShare ?? 0)}`,
    });
  }
  const row = (source: string) => utility?.rows.find((r) => r.source === source && r.task === 'flow');
  const trained = row(judged)?.accuracy;
  if (trained) {
    const others = ['real', 'shuffled fields', 'flipped bits'].flatMap((name) => {
      const value = row(name)?.accuracy;
      return value ? [`${name} ${percent(value.mean)}`] : [];
    });
    cards.push({
      value: percent(trained.mean),
      title: 'of real flows are told apart by a forest trained on these (mean recall)',
      beside: `trained on ${others.join('; ')}; guessing ${percent(utility?.chance ?? 0)}`,
    });
  }
  return cards;
}

function addRate(
  cards: SummaryCard[],
  value: number | undefined,
  title: string,
  evaluation: Evaluation,
  of: (name: string) => number | undefined,
): void {
  if (value !== undefined) cards.push({ value: percent(value), title, beside: rates(evaluation, of) });
}

/** The same rate for held-out real captures and the baselines. */
function rates(evaluation: Evaluation, of: (name: string) => number | undefined): string {
  const names = [
    'reference',
    ...evaluation.sources.filter(({ role }) => role === 'baseline').map(({ name }) => name),
  ];
  return names
    .flatMap((name) => {
      const value = of(name);
      return value === undefined ? [] : [`${name === 'reference' ? 'real' : name} ${percent(value)}`];
    })
    .join('; ');
}

function row(evaluation: Evaluation, source: string): ValidityRow | undefined {
  return evaluation.validity.find((r) => r.source === source && r.label === 'pooled');
}

function macro(evaluation: Evaluation, source: string, what: SimilarityRow['what']): number | undefined {
  const found = evaluation.similarity.find(
    (r) => r.source === source && r.label === 'macro' && r.what === what,
  );
  return found?.jsDistance ?? undefined;
}

/** What was judged, in a sentence. */
export function scopeSentence(evaluation: Evaluation): string {
  const judged = evaluation.sources.find(({ role }) => role === 'synthetic');
  const count = (perLabel: Record<string, { packets: number; captures: number }>): string => {
    const sizes = Object.values(perLabel);
    const captures = sizes.reduce((n, s) => n + s.captures, 0);
    const plural = (n: number, word: string): string =>
      `${n.toLocaleString('en')} ${word}${n === 1 ? '' : 's'}`;
    const packets = sizes.reduce((n, s) => n + s.packets, 0);
    return `${plural(packets, 'packet')} in ${plural(captures, 'capture')} of ${plural(sizes.length, 'label')}`;
  };
  const reference = `${count(evaluation.reference.perLabel)} that nothing was fitted on (${evaluation.reference.floorKind})`;
  if (!judged) return `No generated captures were judged. The real reference is ${reference}.`;
  const prompt =
    judged.promptPackets > 0
      ? ` ${judged.promptPackets.toLocaleString('en')} prompt packets are not counted.`
      : '';
  return `Judged: ${count(judged.perLabel)}.${prompt} Compared with real traffic: ${reference}.`;
}
