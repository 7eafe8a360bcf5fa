import type { AuditEvent } from '@medzen/core';
import fc from 'fast-check';

/** Text as hosts and attackers write it: plain ids, spreadsheet formulas, quotes and line ends, controls, blanks, any of Unicode. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[a-z]{1,8}-[0-9]{1,6}$/) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...[
        '',
        ' ',
        '=1+1',
        '+1',
        '-1',
        '@SUM(A1)',
        '\t=1',
        '\r=1',
        '\0=1',
        '＝1',
        'a,b',
        'a"b',
        'a\r\nb',
        'a;=1',
        'é漢🩺',
        'a\u{7f}\u{85}b',
      ],
    ),
  },
);

const someText: fc.Arbitrary<string> = anyText.filter((text) => text !== '');

const actions = [
  ...[
    'recording.start',
    'recording.stop',
    'recording.view',
    'recording.download',
    'recording.list',
    'recording.archive',
  ],
  ...['recording.delete', 'recording.upload_completed', 'hold.place', 'consent.give', 'audit.search', 'audit.report'],
  ...[
    'session.start',
    'session.end',
    'mfa.verify',
    'message.read',
    'table.read',
    'table.write',
    'request.denied',
    'rate_limit.exceeded',
  ],
];

/**
 * Any event that `sealEvent` lets through, as `openEvent` gives it back. Give what shall hold of all of them.
 *
 * @param fixed - replaces what was generated
 */
export function auditEvents(fixed: Partial<AuditEvent> = {}): fc.Arbitrary<AuditEvent> {
  return fc
    .record(
      {
        v: fc.constant(1 as const),
        id: fc.uuid({ version: 7 }),
        at: fc
          .date({ min: new Date('2020-01-01T00:00:00Z'), max: new Date('2040-01-01T00:00:00Z'), noInvalidDate: true })
          .map((date) => date.toISOString()),
        tenant: someText,
        action: fc
          .oneof(fc.constantFrom(...actions), fc.stringMatching(/^[a-z]{1,6}\.[a-z_]{1,9}$/))
          .filter((action) => /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/.test(action)),
        kind: fc.constantFrom('create', 'read', 'update', 'delete', 'execute'),
        outcome: fc.oneof(
          { weight: 3, arbitrary: fc.constant('success' as const) },
          { weight: 1, arbitrary: fc.constantFrom('denied' as const, 'failed' as const) },
        ),
        actor: fc.record(
          {
            id: someText,
            type: fc.constantFrom('user', 'service', 'system'),
            role: anyText,
            onBehalfOf: anyText,
            name: anyText,
          },
          { requiredKeys: ['id', 'type'] },
        ),
        patient: anyText,
        target: fc.record({ type: anyText, id: anyText }, { requiredKeys: ['type'] }),
        fields: fc.array(anyText, { maxLength: 3 }),
        purpose: fc.constantFrom('TREAT', 'HPAYMT', 'HOPERAT', 'ETREAT', 'BTG', 'PATRQT', 'our own words', ''),
        reason: someText,
        source: fc.record(
          {
            ip: fc.oneof(fc.ipV4(), fc.ipV6(), anyText),
            userAgent: anyText,
            sessionId: anyText,
            requestId: anyText,
            traceId: anyText,
          },
          { requiredKeys: [] },
        ),
        disclosure: fc.record({ recipient: fc.record({ name: anyText }), description: anyText, basis: anyText }),
        detail: fc
          .dictionary(anyText, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 })
          .map((detail) => JSON.parse(JSON.stringify(detail)) as NonNullable<AuditEvent['detail']>), // plain JSON, as stored
        nonce: fc.stringMatching(/^[0-9a-f]{32}$/),
      },
      { requiredKeys: ['v', 'id', 'at', 'action', 'kind', 'outcome', 'actor', 'source', 'nonce'] },
    )
    .map((event): AuditEvent => ({ ...event, ...fixed }));
}

/** One event as a host records many: a provider watched a recording. */
export function viewed(change: Partial<AuditEvent> = {}): AuditEvent {
  return {
    v: 1,
    id: '019a9c1e-7c00-7000-8000-000000000001',
    at: '2026-11-21T09:30:00.000Z',
    tenant: 'clinic-a',
    action: 'recording.view',
    kind: 'read',
    outcome: 'success',
    actor: { id: 'u1', type: 'user', role: 'provider,admin' },
    patient: 'p1',
    target: { type: 'recording', id: 'r1' },
    purpose: 'TREAT',
    source: { ip: '192.0.2.7', userAgent: 'Firefox/145.0', requestId: 'req-1' },
    detail: { bytes: 1024 },
    nonce: '00112233445566778899aabbccddeeff',
    ...change,
  };
}
