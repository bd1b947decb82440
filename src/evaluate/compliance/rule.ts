/** `violation`: a standard forbids it. `oddity`: allowed, but rare in traffic as it was sent, or a sign of a capture that lost packets. */
export type Severity = 'violation' | 'oddity';

/** The protocol that a rule is about. */
export type RuleLayer = 'link' | 'ipv4' | 'ipv6' | 'tcp' | 'udp' | 'dns' | 'icmp';

/** One thing that is checked. docs/compliance.md has a row for each. */
export interface Rule {
  /** Stable name. */
  readonly id: string;
  readonly title: string;
  readonly layer: RuleLayer;
  readonly severity: Severity;
  /** Document and section. */
  readonly source: string;
  /** When a packet breaks the rule, and what is let pass. */
  readonly check: string;
  /** What keeps the rule, and what breaks it. */
  readonly example: string;
  readonly counterExample: string;
}

/** A rule without its layer, as the tables list them. */
export type RuleRow = readonly [
  id: string,
  severity: Severity,
  source: string,
  title: string,
  check: string,
  example: string,
  counterExample: string,
];

export function rulesOf(layer: RuleLayer, rows: readonly RuleRow[]): Rule[] {
  return rows.map(([id, severity, source, title, check, example, counterExample]) => ({
    id,
    title,
    layer,
    severity,
    source,
    check,
    example,
    counterExample,
  }));
}
