import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { auditEvents, viewed } from '../audit-event.fixture.ts';
import { toAccessLogLine } from './access-log-line.ts';

describe('toAccessLogLine', () => {
  test.each([
    ['recording.start', 'START_RECORDING'],
    ['recording.stop', 'STOP_RECORDING'],
    ['recording.view', 'VIEW_RECORDING'],
    ['recording.download', 'DOWNLOAD_RECORDING'],
    ['recording.delete', 'DELETE_RECORDING'],
    ['recording.archive', 'AUTO_ARCHIVE'],
    ['recording.upload_completed', 'UPLOAD_COMPLETED'],
  ])('writes %s as %s', (action, name) => {
    expect(toAccessLogLine(viewed({ action, detail: { bytes: 1024, durationSeconds: 61 } }))).toEqual({
      timestamp: '2026-11-21T09:30:00.000Z',
      userId: 'u1',
      action: name,
      recordingId: 'r1',
      ipAddress: '192.0.2.7',
      userAgent: 'Firefox/145.0',
      metadata: { duration: 61, size: 1024 },
    });
  });

  it('writes only what there is', () => {
    const { detail: _, ...event } = viewed({ source: {} });
    expect(toAccessLogLine(event)).toEqual({
      timestamp: event.at,
      userId: 'u1',
      action: 'VIEW_RECORDING',
      recordingId: 'r1',
    });
  });

  test.each([
    ['a refused view', viewed({ outcome: 'denied' })],
    ['a failed view', viewed({ outcome: 'failed' })],
    ['a list', viewed({ action: 'recording.list' })],
    ['a recording without an id', viewed({ target: { type: 'recording' } })],
    ['a name of every object', viewed({ action: 'constructor' })],
  ])('has no line for %s', (_, event) => {
    expect(toAccessLogLine(event)).toBeUndefined();
  });

  it('has a line for nothing that did not succeed', () => {
    fc.assert(
      fc.property(auditEvents(), (event) => {
        if (toAccessLogLine(event) !== undefined) expect(event.outcome).toBe('success');
      }),
    );
  });
});
