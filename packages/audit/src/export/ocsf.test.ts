import type { AuditEvent } from '@medzen/core';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { auditEvents, viewed } from '../audit-event.fixture.ts';
import { type OcsfApiActivity, toOcsf } from './ocsf.ts';

/** What the schema demands of API Activity (1.6.0): required attributes, enumerations, and of some objects at least one attribute of several. */
const demands: readonly [string, (event: OcsfApiActivity) => boolean][] = [
  ['class and category', (event) => event.class_uid === 6003 && event.category_uid === 6],
  ['activity_id', ({ activity_id }) => [0, 1, 2, 3, 4, 99].includes(activity_id)],
  ['type_uid', ({ type_uid, class_uid, activity_id }) => type_uid === class_uid * 100 + activity_id],
  ['time', ({ time }) => Number.isSafeInteger(time) && time > 0],
  ['severity_id', ({ severity_id }) => [0, 1, 2, 3, 4, 5, 6, 99].includes(severity_id)],
  ['status_id', ({ status_id }) => [0, 1, 2, 99].includes(status_id)],
  ['metadata', ({ metadata }) => metadata.version === '1.6.0' && metadata.product.name !== ''],
  ['actor: at least one of process, user, session, app', ({ actor }) => actor.user !== undefined],
  ['user: at least one of account, name, uid', ({ actor }) => actor.user.uid !== ''],
  ['user.type_id', ({ actor }) => [0, 1, 2, 3, 99].includes(actor.user.type_id)],
  ['api.operation', ({ api }) => api.operation !== ''],
  [
    'src_endpoint: at least one of ip, name, …',
    ({ src_endpoint }) => Object.values(src_endpoint).some((text) => text !== ''),
  ],
  ['resources: name or uid', ({ resources = [] }) => resources.every(({ uid, name }) => (uid ?? name) !== undefined)],
];

describe('toOcsf', () => {
  test.each(demands)('meets what the schema demands: %s', (_, met) => {
    fc.assert(
      fc.property(auditEvents(), (event) => {
        expect(met(toOcsf(event))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('says who did what to what, from where', () => {
    expect(toOcsf(viewed({ outcome: 'denied', detail: { error: 'forbidden' } }))).toEqual({
      category_uid: 6,
      category_name: 'Application Activity',
      class_uid: 6003,
      class_name: 'API Activity',
      activity_id: 2,
      activity_name: 'Read',
      type_uid: 600302,
      time: 1795253400000,
      severity_id: 2,
      severity: 'Low',
      status_id: 2,
      status: 'Failure',
      status_detail: 'denied: forbidden',
      metadata: {
        version: '1.6.0',
        product: { name: 'Medzen', vendor_name: 'Medzen' },
        uid: '019a9c1e-7c00-7000-8000-000000000001',
        event_code: 'recording.view',
        original_time: '2026-11-21T09:30:00.000Z',
        tenant_uid: 'clinic-a',
      },
      actor: { user: { uid: 'u1', type_id: 1, type: 'User', groups: [{ name: 'provider' }, { name: 'admin' }] } },
      api: { operation: 'recording.view', request: { uid: 'req-1' } },
      src_endpoint: { ip: '192.0.2.7' },
      http_request: { user_agent: 'Firefox/145.0' },
      resources: [
        { type: 'recording', uid: 'r1' },
        { type: 'patient', uid: 'p1' },
      ],
      unmapped: { purpose: 'TREAT', detail: { error: 'forbidden' } },
    });
  });

  test.each<[string, Partial<AuditEvent>, Partial<OcsfApiActivity>]>([
    ['an emergency', { purpose: 'BTG', reason: 'x' }, { severity_id: 3, severity: 'Medium' }],
    ['a success', {}, { severity_id: 1, status_id: 1 }],
    [
      'a service without an address',
      { actor: { id: 'sweep', type: 'service' }, source: {} },
      { src_endpoint: { name: 'sweep' } },
    ],
    ['a person from nowhere', { source: {} }, { src_endpoint: { name: 'unknown' } }],
    ['an address that is none', { source: { ip: 'gateway' } }, { src_endpoint: { name: 'gateway' } }],
  ])('knows %s', (_, change, expected) => {
    expect(toOcsf(viewed(change))).toMatchObject(expected);
  });

  it('leaves the reason, names of people and disclosures out', () => {
    const secret = 'SECRET';
    const event = viewed({
      reason: secret,
      actor: { id: 'u1', type: 'user', name: secret },
      disclosure: { recipient: { name: secret }, description: secret, basis: secret },
    });
    expect(JSON.stringify(toOcsf(event))).not.toContain(secret);
  });
});
