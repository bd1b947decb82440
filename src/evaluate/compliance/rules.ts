import { NETWORK_RULES } from './networkRules';
import { OTHER_RULES } from './otherRules';
import type { Rule } from './rule';
import { TCP_SEGMENT_RULES } from './tcpSegmentRules';
import { TCP_STATE_RULES } from './tcpStateRules';

/** Every rule, in the order of docs/compliance.md. */
export const RULES: readonly Rule[] = [
  ...NETWORK_RULES,
  ...TCP_SEGMENT_RULES,
  ...TCP_STATE_RULES,
  ...OTHER_RULES,
];

const BY_ID = new Map(RULES.map((rule) => [rule.id, rule]));

/** A rule by its id; undefined: there is none. */
export function ruleOf(id: string): Rule | undefined {
  return BY_ID.get(id);
}

/** The rules as the Markdown tables of docs/compliance.md, one a protocol. */
export function rulesMarkdown(): string {
  const layers = [...new Set(RULES.map(({ layer }) => layer))];
  return layers
    .map((layer) => {
      const rows = RULES.filter((rule) => rule.layer === layer).map(
        ({ id, severity, source, title, check, example, counterExample }) =>
          `| \`${id}\` | ${severity} | ${source} | **${title}**. ${check} | ${example} | ${counterExample} |`,
      );
      return [
        `### ${layer === 'link' ? 'Link' : layer === 'ipv4' ? 'IPv4' : layer === 'ipv6' ? 'IPv6' : layer.toUpperCase()}`,
        '',
        '| rule | severity | source | what is checked | keeps it | breaks it |',
        '|---|---|---|---|---|---|',
        ...rows,
      ].join('\n');
    })
    .join('\n\n');
}
