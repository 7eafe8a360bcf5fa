import { describe, expect, it } from 'vitest';
import { capturedAt, tookPlaceAt } from './store-time.ts';

const row = { startedAt: '2026-11-21T15:00:00.000Z' };
const now = new Date('2026-11-21T16:00:00.000Z');

describe('capturedAt', () => {
  it.each([
    [
      'the session began later than the row says',
      row,
      { startedAt: '2026-11-21T15:20:00Z' },
      '2026-11-21T15:20:00.000Z',
    ],
    ['so little later that clocks may differ by it', row, { startedAt: '2026-11-21T15:05:00Z' }, undefined],
    [
      'the session began earlier: it may be recorded from its middle',
      row,
      { startedAt: '2018-01-01T00:00:00Z' },
      undefined,
    ],
    [
      'it had ended before the row says that it began: one of two clocks is wrong, and what counts from the earlier is deleted too early',
      row,
      { startedAt: '2026-01-15T13:00:00Z', endedAt: '2026-01-15T14:00:00Z' },
      undefined,
    ],
    [
      'the row lies in the future',
      { startedAt: '2034-11-21T15:00:00.000Z' },
      { startedAt: '2026-11-21T15:00:00Z' },
      '2026-11-21T15:00:00.000Z',
    ],
    ["the provider's clock is ahead of the store's", row, { startedAt: '2027-01-01T00:00:00Z' }, undefined],
    ['the provider does not say', row, { endedAt: '2026-11-21T14:00:00Z' }, undefined],
    ['what it says is no instant', row, { startedAt: 'yesterday' }, undefined],
    [
      'it was corrected already',
      { ...row, capturedAt: '2026-11-21T15:20:00.000Z' },
      { startedAt: '2026-11-21T15:20:00Z' },
      undefined,
    ],
  ])('%s', (_what, recording, times, expected) => {
    expect(capturedAt(recording, times, now)).toBe(expected);
  });
});

describe('tookPlaceAt', () => {
  it('is the start, by the provider where it was corrected, or the end where that is more than a day later', () => {
    const corrected = { startedAt: '2018-11-21T15:00:00.000Z', capturedAt: row.startedAt };
    expect(tookPlaceAt(row)).toBe(row.startedAt);
    expect(tookPlaceAt({ ...corrected, endedAt: '2026-11-21T15:30:00.000Z' })).toBe(row.startedAt);
    expect(tookPlaceAt({ ...row, endedAt: '2026-11-23T15:00:00.000Z' })).toBe('2026-11-23T15:00:00.000Z');
  });
});
