import { nullTranslator } from '@jupyterlab/translation';

import {
  formatBytes,
  formatClock,
  formatPlannedEnd,
  formatSeconds,
  formatWhen
} from '../format';

const trans = nullTranslator.load('jupyter_mlops');

describe('format', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1234, '1.2 kB'],
    [41_000_000, '41 MB'],
    [1_230_000_000, '1.2 GB']
  ])('writes %d bytes', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it('writes clocks and seconds', () => {
    expect(formatClock(41.9)).toBe('0:41');
    expect(formatClock(3723)).toBe('1:02:03');
    expect(formatSeconds(0.42)).toBe('0.4 s');
    expect(formatSeconds(125)).toBe('2:05');
  });

  it('reminds of a planned end', () => {
    const now = Date.parse('2026-03-01T12:00:00Z');
    const said = (iso: string) => formatPlannedEnd(iso, trans, now);
    expect(said('2026-03-01T09:00:00+00:00')).toBe('Planned to end 3 h ago');
    expect(said('2026-03-03T12:00:00+00:00')).toBe('Planned to end in 2 d');
    expect(said('2026-03-01T12:25:00+00:00')).toBe('Planned to end in 25 min');
    expect(said('')).toBe('');
  });

  it('writes when something happened', () => {
    const now = new Date(2026, 10, 22, 12, 0);
    const at = (...args: [number, number, number, number]) =>
      new Date(...args).toISOString();
    expect(formatWhen(at(2026, 10, 22, 10), trans, now)).toMatch(/^today /);
    expect(formatWhen(at(2026, 10, 21, 23), trans, now)).toBe('yesterday');
    expect(formatWhen(at(2026, 10, 20, 23), trans, now)).toContain('2026');
    expect(formatWhen('', trans, now)).toBe('');
  });
});
