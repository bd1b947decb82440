import { describe, expect, test } from 'vitest';
import { checkFrames, ruleOf, RULES } from '../../../src/evaluate/compliance';
import { MUTATIONS } from './mutations';

describe('rules', () => {
  test('every rule has one capture that breaks it', () => {
    expect(MUTATIONS.map(({ rule }) => rule).sort()).toEqual(RULES.map(({ id }) => id).sort());
  });

  test('ids are unique and name their layer', () => {
    expect(new Set(RULES.map(({ id }) => id)).size).toBe(RULES.length);
    expect(ruleOf('tcp-flags-conflict')?.severity).toBe('violation');
    expect(ruleOf('no-such-rule')).toBe(undefined);
  });

  test.each(MUTATIONS.map((mutation) => [mutation.rule, mutation] as const))(
    '%s is broken by its capture, at its packet',
    (rule, { frames, packet }) => {
      const report = checkFrames(frames);
      const result = report.rules.find((each) => each.rule === rule);
      expect(result?.packets, JSON.stringify(report.rules)).toBe(1);
      expect(result!.examples[0].packet).toBe(packet);
      expect(result!.severity).toBe(ruleOf(rule)!.severity);
      // No other violation: the rule alone tells what is wrong.
      const others = report.rules.filter((each) => each.rule !== rule && each.severity === 'violation');
      expect(others.map((each) => each.rule)).toEqual([]);
    },
  );
});
