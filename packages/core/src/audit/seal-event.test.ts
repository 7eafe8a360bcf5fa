import { fakeClock, fakeRandom } from '@medzen/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalize } from '../canonical-json.ts';
import { isUuid } from '../ids.ts';
import type { AuditEventDraft } from './audit-event.ts';
import { maxEventBytes, openEvent, sealEvent } from './seal-event.ts';

const draft: AuditEventDraft = {
  action: 'recording.view',
  kind: 'read',
  outcome: 'success',
  tenant: 'default',
  actor: { id: 'u1', type: 'user' },
  source: {},
};
const invalid: unknown = expect.objectContaining({ code: 'invalid_input' });

describe('sealEvent', () => {
  test('adds version, id, time and nonce, and writes canonical bytes', () => {
    const clock = fakeClock('2026-11-21T09:30:00.123Z');
    const { id, body } = sealEvent(draft, { clock, random: fakeRandom(1) });
    const event = openEvent(body);
    expect(event).toMatchObject({ ...draft, v: 1, id, at: '2026-11-21T09:30:00.123Z' });
    expect(event.nonce).toMatch(/^[0-9a-f]{32}$/);
    expect(isUuid(id)).toBe(true);
    expect(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toBe(clock.now().getTime());
    expect(new TextDecoder().decode(body)).toBe(canonicalize(event));
  });

  test('lets no draft choose what it adds', () => {
    const forged = { ...draft, v: 2, id: 'mine', at: 'never', nonce: '00' } as AuditEventDraft; // a caller without types
    const event = openEvent(sealEvent(forged).body);
    expect(event.v).toBe(1);
    expect(isUuid(event.id)).toBe(true);
    expect(event.at).not.toBe('never');
    expect(event.nonce).toHaveLength(32);
  });

  test('seals the same draft anew each time: equal happenings are two events with unlike leaves', () => {
    const [a, b] = [sealEvent(draft), sealEvent(draft)];
    expect(a.id).not.toBe(b.id);
    expect(openEvent(a.body).nonce).not.toBe(openEvent(b.body).nonce);
  });

  test('keeps any JSON in the detail', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 5 }), (detail) => {
        const given = JSON.parse(JSON.stringify(detail)) as NonNullable<AuditEventDraft['detail']>; // plain JSON
        expect(openEvent(sealEvent({ ...draft, detail: given }).body).detail).toEqual(given);
      }),
    );
  });

  test.each<[string, object]>([
    ['no action', { action: undefined }],
    ['an action without a dot', { action: 'view' }],
    ['an action in capitals', { action: 'Recording.View' }],
    ['an action with a space', { action: 'recording.view now' }],
    ['an action past 128 characters', { action: `a.${'b'.repeat(127)}` }],
    ['an unknown kind', { kind: 'peek' }],
    ['an unknown outcome', { outcome: 'maybe' }],
    ['no actor', { actor: undefined }],
    ['an actor without an id', { actor: { id: '', type: 'user' } }],
    ['an actor with a long id', { actor: { id: 'x'.repeat(257), type: 'user' } }],
    ['an unknown actor type', { actor: { id: 'u', type: 'robot' } }],
    ['no source', { source: undefined }],
    ['break-glass without a reason', { purpose: 'BTG' }],
    ['emergency without a reason', { purpose: 'ETREAT', reason: ' \t ' }],
    ['a reason past 2048 characters', { reason: 'x'.repeat(2049) }],
    ['a value that is not JSON', { detail: { when: new Date(0) } }],
    ['a body past the bound', { detail: { fill: 'x'.repeat(maxEventBytes) } }],
  ])('refuses %s', (_, change) => {
    expect(() => sealEvent({ ...draft, ...change })).toThrowError(invalid);
  });

  test('takes an emergency with its reason', () => {
    const { body } = sealEvent({ ...draft, purpose: 'BTG', reason: 'Unconscious patient' });
    expect(openEvent(body)).toMatchObject({ purpose: 'BTG', reason: 'Unconscious patient' });
  });

  test('shortens a long user agent without cutting a character in two', () => {
    const agent = (userAgent: string): string | undefined =>
      openEvent(sealEvent({ ...draft, source: { userAgent } }).body).source.userAgent;
    expect(agent('x'.repeat(512))).toHaveLength(512);
    expect(agent('x'.repeat(9000))).toHaveLength(512);
    expect(agent(`${'x'.repeat(511)}🩺`)).toBe(`${'x'.repeat(511)}\ufffd`);
  });

  test('takes a body of exactly the bound', () => {
    const room = maxEventBytes - sealEvent({ ...draft, detail: { fill: '' } }).body.length;
    expect(sealEvent({ ...draft, detail: { fill: 'x'.repeat(room) } }).body).toHaveLength(maxEventBytes);
    expect(() => sealEvent({ ...draft, detail: { fill: 'x'.repeat(room + 1) } })).toThrowError(invalid);
  });
});

describe('openEvent', () => {
  test.each(['', 'null', '[]', '7', '"v"', '{}', '{"v":2,"id":"a"}', '{"v":1}', '{"v":1,"id":7}', '{"v":1,"id":"a"'])(
    'refuses %j',
    (text) => {
      expect(() => openEvent(new TextEncoder().encode(text))).toThrowError(invalid);
    },
  );

  test('refuses bytes that are no UTF-8', () => {
    expect(() => openEvent(Uint8Array.of(0xff, 0xfe))).toThrowError(invalid);
  });
});
