import { intervalOfReplicates, type Interval } from '../../stats';
import { NetssmError, Rng } from '../../util';

export interface MembershipOptions {
  /** Default 0.95. */
  confidence?: number;
  /** Bootstrap replicates; default 1,000. */
  resamples?: number;
  seed?: number | string;
}

/** What an attacker who knows the model's losses learns about what it was trained on. */
export interface MembershipAudit {
  members: number;
  nonMembers: number;
  /**
   * Probability that a member's loss is below a non-member's, ties counted half: 0.5 is nothing to learn, 1 every
   * member known. With a percentile bootstrap interval, members and non-members drawn apart.
   */
  auc: Interval;
  /** Highest accuracy of one threshold over classes of equal weight, less 0.5, times 2: 0 to 1; and that threshold, null where none helps. */
  advantage: number;
  threshold: number | null;
  /** Share of the members found while at most so many of the non-members are taken for members. */
  truePositives: { falsePositives: number; share: number }[];
  meanLoss: { members: number; nonMembers: number };
}

/**
 * The loss-threshold attack (Yeom et al., Privacy Risk in Machine Learning, 2018): whoever has a loss below the
 * threshold is taken for a member. Losses must come from the same kind of item (captures of the same labels and
 * lengths), or the attack tells classes apart. Items should be independent: one loss a capture, not one a packet.
 *
 * @throws NetssmError `sample_small` for fewer than two of either kind, `sample_invalid` for a loss that is no number.
 */
export function membershipAudit(
  members: ArrayLike<number>,
  nonMembers: ArrayLike<number>,
  options: MembershipOptions = {},
): MembershipAudit {
  const { confidence = 0.95, resamples = 1000, seed = 0 } = options;
  const [m, n] = [members.length, nonMembers.length];
  if (m < 2 || n < 2) {
    throw new NetssmError(
      'sample_small',
      `${m} members and ${n} non-members; at least two of each are needed`,
    );
  }
  const all = [
    ...Array.from(members, (loss) => ({ loss, member: true })),
    ...Array.from(nonMembers, (loss) => ({ loss, member: false })),
  ];
  const bad = all.find(({ loss }) => !Number.isFinite(loss));
  if (bad)
    throw new NetssmError(
      'sample_invalid',
      `a ${bad.member ? 'member' : 'non-member'} has the loss ${bad.loss}`,
    );
  // In order of the loss; items are drawn by their rank, so that a replicate needs no sorting.
  const places = all.map((_, i) => i).sort((a, b) => all[a].loss - all[b].loss);
  const rankOf = new Uint32Array(all.length);
  let rank = -1;
  places.forEach((i, k) => {
    if (k === 0 || all[i].loss !== all[places[k - 1]].loss) rank++;
    rankOf[i] = rank;
  });
  const ranks = rank + 1;
  const [mine, theirs] = [new Float64Array(ranks), new Float64Array(ranks)];
  for (let i = 0; i < all.length; i++) (i < m ? mine : theirs)[rankOf[i]]++;
  const estimate = aucOfRanks(mine, theirs, m, n);
  const rng = new Rng(seed).split('membership');
  const replicates = Float64Array.from({ length: resamples }, () => {
    mine.fill(0);
    theirs.fill(0);
    for (let i = 0; i < m; i++) mine[rankOf[rng.int(m)]]++;
    for (let i = 0; i < n; i++) theirs[rankOf[m + rng.int(n)]]++;
    return aucOfRanks(mine, theirs, m, n);
  });
  return {
    members: m,
    nonMembers: n,
    auc: intervalOfReplicates(estimate, replicates, { confidence, method: 'percentile' }),
    ...thresholds(
      places.map((i) => all[i]),
      m,
      n,
    ),
    meanLoss: { members: average(members), nonMembers: average(nonMembers) },
  };
}

function aucOfRanks(mine: Float64Array, theirs: Float64Array, m: number, n: number): number {
  let [below, sum] = [0, 0];
  for (let k = 0; k < mine.length; k++) {
    // Non-members above each member, and half of those level with it.
    sum += mine[k] * (n - below - theirs[k] / 2);
    below += theirs[k];
  }
  return sum / (m * n);
}

const FALSE_POSITIVES = [0.001, 0.01, 0.1];

function thresholds(
  sorted: readonly { loss: number; member: boolean }[],
  m: number,
  n: number,
): Pick<MembershipAudit, 'advantage' | 'threshold' | 'truePositives'> {
  let [found, wrong, advantage] = [0, 0, 0];
  let threshold: number | null = null;
  const truePositives = FALSE_POSITIVES.map((falsePositives) => ({ falsePositives, share: 0 }));
  sorted.forEach(({ loss, member }, i) => {
    if (member) found++;
    else wrong++;
    // A threshold takes all equal losses or none.
    if (sorted[i + 1]?.loss === loss) return;
    if (found / m - wrong / n > advantage) {
      advantage = found / m - wrong / n;
      threshold = loss;
    }
    for (const entry of truePositives) if (wrong / n <= entry.falsePositives) entry.share = found / m;
  });
  return { advantage, threshold, truePositives };
}

function average(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}
