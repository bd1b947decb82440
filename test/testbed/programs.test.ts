/** The parts of the players and of the network that can be judged without a network. */
import { describe, expect, it } from 'vitest';
import { PlaybackBuffer, RateChooser } from '../../data/testbed/src/programs/abr';
import { netemArguments, relayArguments } from '../../data/testbed/src/net/wire';
import { drawConditions } from '../../data/testbed/src/net/conditions';
import { random } from '../../data/testbed/src/lib/random';
import { help, parseOptions, UsageError } from '../../data/testbed/src/options';

/** A download of `seconds` at `kbit`. */
const at = (kbit: number, seconds = 1) => ({ bytes: (kbit * 1000 * seconds) / 8, seconds });

describe('RateChooser', () => {
  const KBITS = [150, 235, 375, 560, 750, 1050, 1750, 2800];

  it('climbs one rung at a time to the highest that fits, and stays there', () => {
    const rates = new RateChooser(KBITS);
    const chosen = Array.from({ length: 12 }, () => {
      rates.add(at(1600));
      return KBITS[rates.next(1)];
    });
    expect(chosen.slice(0, 5)).toEqual([235, 375, 560, 750, 1050]);
    expect(chosen.slice(5)).toEqual(Array(7).fill(1050)); // 0.85 * 1600 = 1360; 1750 is above it
  });

  it('comes down at once when the link gets slower, and to the bottom when the buffer is empty', () => {
    const rates = new RateChooser(KBITS, 6);
    rates.add(at(4000));
    expect(KBITS[rates.next(1)]).toBe(2800);
    for (let i = 0; i < 5; i++) rates.add(at(700));
    expect(KBITS[rates.next(1)]).toBe(560); // 0.85 * 700 = 595
    expect(KBITS[rates.next(0.5)]).toBe(375); // 0.7 * 700 = 490
    for (let i = 0; i < 5; i++) rates.add(at(400));
    expect(KBITS[rates.next(0.05)]).toBe(150);
  });

  it('takes the harmonic mean of the last five downloads and leaves out small ones', () => {
    const rates = new RateChooser(KBITS);
    rates.add({ bytes: 1000, seconds: 10 });
    expect(rates.throughputKbit).toBeUndefined();
    for (const kbit of [9999, 1000, 1000, 1000, 1000, 250]) rates.add(at(kbit));
    expect(rates.throughputKbit).toBeCloseTo(5 / (4 / 1000 + 1 / 250), 6); // 625
  });
});

describe('PlaybackBuffer', () => {
  it('plays once enough is there, drains in real time, counts stalls, empties at a seek', () => {
    let clock = 0;
    const buffer = new PlaybackBuffer(3, () => clock);
    buffer.add(2);
    clock = 10;
    expect(buffer.seconds).toBe(2); // not yet playing
    buffer.add(2);
    clock = 11.5;
    expect(buffer.seconds).toBe(2.5);
    clock = 15;
    expect(buffer.seconds).toBe(0);
    expect(buffer.stalled).toBe(1);
    buffer.add(5);
    buffer.flush();
    clock = 20;
    expect(buffer.seconds).toBe(0);
    expect(buffer.stalled).toBe(1);
  });
});

describe('the wire', () => {
  it('tells netem the delay, correlated jitter, losses in bursts and reordering', () => {
    const words = netemArguments({ delayMs: 20, jitterMs: 1.5, loss: 0.01, lossBurst: 2, reorder: 0.002 });
    expect(words.join(' ')).toBe(
      'netem limit 10000 delay 20ms 1.5ms 90% loss gemodel 0.5051% 50% reorder 0.2%',
    );
    const plain = netemArguments({ delayMs: 5, jitterMs: 0, loss: 0, lossBurst: 1, reorder: 0 });
    expect(plain.join(' ')).toBe('netem limit 10000 delay 5ms');
  });

  it('tells the relay microseconds and the servers that are farther away', () => {
    const c = {
      ...drawConditions(random('x')),
      delayMs: 12.5,
      jitterMs: 0.5,
      loss: 0.01,
      lossBurst: 2,
      reorder: 0,
    };
    const words = relayArguments({ ...c, fartherMs: { '192.0.2.7': 3 } }, 42);
    expect(words).toEqual(['42', '12500', '500', '0.01', '2', '0', '192.0.2.7=3000']);
  });
});

describe('the command line', () => {
  const CLASSES = ['dash', 'sip'];

  it('has defaults and reads what is given', () => {
    expect(parseOptions([], CLASSES)).toMatchObject({
      sessions: 100,
      testSessions: 0,
      jobs: 4,
      seed: '1',
      validate: true,
    });
    const given = parseOptions(
      ['--sessions', '2', '--classes', 'sip', '--no-validate', '--jobs', '1'],
      CLASSES,
    );
    expect(given).toMatchObject({ sessions: 2, classes: ['sip'], jobs: 1, validate: false });
    expect(parseOptions(['--help'], CLASSES)).toBeNull();
    expect(help(CLASSES)).toContain('dash,sip');
  });

  it.each([
    [['--classes', 'netflix'], 'no class is called netflix; there are dash, sip'],
    [['--sessions', '1.5'], '--sessions is a whole number from 0, not "1.5"'],
    [['--jobs', '0'], '--jobs is a whole number from 1, not "0"'],
    [['--long-share', '2'], '--long-share is a number from 0 to 1'],
    [['--wire', 'rope'], '--wire is auto, netem or relay'],
    [['--sesions', '3'], "Unknown option '--sesions'"],
  ])('refuses %j', (argv, message) => {
    expect(() => parseOptions(argv, CLASSES)).toThrow(UsageError);
    expect(() => parseOptions(argv, CLASSES)).toThrow(message);
  });
});
