import type { AuditEvent } from '@medzen/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { recentEvents } from './recent-events.ts';
import { type ReviewRulesOptions, reviewRules } from './review-rules.ts';

let ids = 0;
function event(at: string, given: Partial<AuditEvent> = {}): AuditEvent {
  return {
    v: 1,
    id: `e${ids++}`,
    at,
    tenant: 'default',
    action: 'note.view',
    kind: 'read',
    outcome: 'success',
    actor: { id: 'u1', type: 'user', role: 'provider' },
    patient: 'p1',
    source: {},
    nonce: '00',
    ...given,
  };
}
const minute = (n: number): string => new Date(Date.UTC(2026, 10, 18, 15, n)).toISOString(); // a Wednesday

/** Puts events, in order, to one rule: the places at which it found something, and under which keys. */
async function foundBy(id: string, options: ReviewRulesOptions, events: readonly AuditEvent[]) {
  const rule = reviewRules(options).find((one) => one.id === id);
  if (rule === undefined) throw new Error('No such rule');
  const recent = recentEvents();
  const places: number[] = [];
  const keys = new Set<string>();
  for (const [i, one] of events.entries()) {
    const found = await rule.look(one, recent.before(one, rule.windowMs ?? 0));
    recent.add(one);
    if (found === undefined) continue;
    places.push(i);
    keys.add(found.key ?? one.id);
    expect(JSON.stringify(found.detail ?? {})).not.toMatch(/p\d|u\d/); // no person in it
  }
  return { places, keys: keys.size };
}

test('break-glass: every event in which somebody claims an emergency, refused ones too', async () => {
  const events = ['TREAT', 'BTG', 'ETREAT', undefined].map((purpose) =>
    event(minute(0), { outcome: 'denied', ...(purpose === undefined ? {} : { purpose }) }),
  );
  expect(await foundBy('break-glass', {}, events)).toEqual({ places: [1, 2], keys: 2 });
});

describe('denials in a row', () => {
  test('of one actor within the window, once they are enough; a success between begins anew', async () => {
    const kinds = 'dddsddddds'.split('');
    const events = kinds.map((kind, i) => event(minute(i), { outcome: kind === 'd' ? 'denied' : 'success' }));
    expect(await foundBy('denials', { denials: { count: 4 } }, events)).toEqual({ places: [7, 8], keys: 1 });
    const slow = kinds.map((_, i) => event(minute(i * 10), { outcome: 'denied' }));
    expect((await foundBy('denials', { denials: { count: 4 } }, slow)).places).toEqual([]);
    const hour = { count: 4, windowMs: 3_600_000 };
    expect((await foundBy('denials', { denials: hour }, slow)).places).toEqual([3, 4, 5, 6, 7, 8, 9]);
    const others = kinds.map((_, i) =>
      event(minute(i), { outcome: 'denied', actor: { id: `u${i % 3}`, type: 'user' } }),
    );
    expect((await foundBy('denials', { denials: { count: 4 } }, others)).places).toEqual([9]);
  });

  test('are what one counts by hand', async () => {
    const outcomes = fc.array(fc.record({ denied: fc.boolean(), actor: fc.nat(1) }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(outcomes, fc.integer({ min: 2, max: 5 }), async (given, count) => {
        const events = given.map(({ denied, actor }) =>
          event(minute(0), { outcome: denied ? 'denied' : 'success', actor: { id: `u${actor}`, type: 'user' } }),
        );
        const runs = [0, 0];
        const expected = given.flatMap(({ denied, actor }, i) => {
          runs[actor] = denied ? (runs[actor] ?? 0) + 1 : 0;
          return (runs[actor] ?? 0) >= count ? [i] : [];
        });
        expect((await foundBy('denials', { denials: { count } }, events)).places).toEqual(expected);
      }),
    );
  });
});

describe('self-access', () => {
  test('of staff, and not of a patient who sees what is theirs', async () => {
    const own = { patient: 'u1' };
    const events = [
      event(minute(0), own),
      event(minute(1)),
      event(minute(2), { ...own, actor: { id: 'u1', type: 'user', role: 'patient' } }),
      event(minute(3), { ...own, outcome: 'denied' }),
      event(minute(4), { ...own, actor: { id: 'u1', type: 'user', role: 'patient,provider' } }),
    ];
    expect(await foundBy('self-access', {}, events)).toEqual({ places: [0, 4], keys: 1 });
  });

  test('where staff have another id as patients', async () => {
    const selfAccess = { patientOf: async (actor: string) => (actor === 'u1' ? 'p9' : undefined) };
    const events = [event(minute(0)), event(minute(1), { patient: 'p9' })];
    expect((await foundBy('self-access', { selfAccess }, events)).places).toEqual([1]);
    const asClient = event(minute(2), { patient: 'p9', actor: { id: 'u1', type: 'user', role: 'client' } });
    const named = { ...selfAccess, patientRole: 'client' };
    expect((await foundBy('self-access', { selfAccess: named }, [...events, asClient])).places).toEqual([1]);
  });
});

test('vip: who looked at a patient of the list, once a day each', async () => {
  const vip = (patient: string): boolean => patient === 'p7';
  const events = [
    event(minute(0), { patient: 'p7' }),
    event(minute(1), { patient: 'p7' }),
    event(minute(2)),
    event(minute(3), { patient: 'p7', actor: { id: 'u2', type: 'user' } }),
    event('2026-11-19T15:00:00.000Z', { patient: 'p7' }),
  ];
  expect(await foundBy('vip', { vip }, events)).toEqual({ places: [0, 1, 3, 4], keys: 3 });
});

describe('bulk reads after hours', () => {
  const zone = 'America/New_York';
  const reads = (from: string, count: number): AuditEvent[] =>
    Array.from({ length: count }, (_, i) =>
      event(new Date(Date.parse(from) + i * 60_000).toISOString(), { patient: `p${i % 4}` }),
    );

  test('of so many patients, in the zone of the house', async () => {
    const afterHours = { zone, open: [8, 18] as const, patients: 3 };
    // 22:00 UTC is 17:00 in New York in winter, 18:00 in summer.
    expect((await foundBy('after-hours', { afterHours }, reads('2026-11-18T22:00:00.000Z', 8))).places).toEqual([]);
    const summer = await foundBy('after-hours', { afterHours }, reads('2026-07-15T22:00:00.000Z', 8));
    expect(summer).toEqual({ places: [2, 3, 4, 5, 6, 7], keys: 1 });
    const sunday = await foundBy('after-hours', { afterHours }, reads('2026-11-22T15:00:00.000Z', 3));
    expect(sunday.places).toEqual([2]);
    const short = { ...afterHours, windowMs: 60_000 }; // two reads a minute apart are all that it sees
    const apart = await foundBy('after-hours', { afterHours: short }, reads('2026-11-22T15:00:00.000Z', 8));
    expect(apart.places).toEqual([]);
    const few = { ...afterHours, patients: 5 };
    expect((await foundBy('after-hours', { afterHours: few }, reads('2026-11-22T15:00:00.000Z', 9))).places).toEqual(
      [],
    );
  });

  test('of a house that is open past midnight', async () => {
    const afterHours = { zone: 'UTC', open: [20, 4] as const, days: [3], patients: 2 };
    const at = async (from: string): Promise<boolean> =>
      (await foundBy('after-hours', { afterHours }, reads(from, 2))).places.length > 0;
    expect(await at('2026-11-18T22:00:00.000Z')).toBe(false); // Wednesday night
    expect(await at('2026-11-19T03:00:00.000Z')).toBe(false); // still that night
    expect(await at('2026-11-19T05:00:00.000Z')).toBe(true);
    expect(await at('2026-11-18T03:00:00.000Z')).toBe(true); // Tuesday's night
  });

  test('does not count what was refused, or done in hours', async () => {
    const afterHours = { zone, open: [8, 18] as const, patients: 3 };
    const events = [
      ...reads('2026-11-18T22:57:00.000Z', 2), // 17:57 and 17:58
      ...reads('2026-11-18T23:05:00.000Z', 2),
      event('2026-11-18T23:08:00.000Z', { patient: 'p8', outcome: 'denied' }),
      event('2026-11-18T23:09:00.000Z', { patient: 'p9', kind: 'update' }),
    ];
    expect((await foundBy('after-hours', { afterHours }, events)).places).toEqual([]);
  });
});

test('same-surname: by what the host knows of names', async () => {
  const names: Readonly<Record<string, string>> = { u1: 'Núñez-Ortiz', p1: 'NUNEZ ORTIZ', p2: 'Ortiz' };
  const sameSurname = { surnameOf: async (_: string, id: string) => names[id] };
  const events = ['p1', 'p2', 'p3', 'u1'].map((patient) => event(minute(0), { patient }));
  expect((await foundBy('same-surname', { sameSurname }, events)).places).toEqual([0]);
});

test.each([
  { denials: { count: 1 } },
  { afterHours: { zone: 'Mars/Olympus', open: [8, 18] as const } },
  { afterHours: { zone: 'UTC', open: [8, 25] as const } },
  { afterHours: { zone: 'UTC', open: [8, 18] as const, patients: 0 } },
])('%j is refused', (options) => {
  expect(() => reviewRules(options)).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
});

test('what an actor did lately is kept within bounds, the latest longest', () => {
  const recent = recentEvents();
  const of = (id: string): AuditEvent => event(minute(0), { actor: { id, type: 'user' } });
  for (let i = 0; i < 2500; i++) recent.add(of('busy'));
  expect(recent.before(of('busy'), 60_000)).toHaveLength(1000);
  recent.add(of('quiet'));
  for (let i = 0; i < 1999; i++) recent.add(of(`u${i}`));
  recent.add(of('busy'));
  expect(recent.before(of('quiet'), 60_000)).toHaveLength(0);
  expect(recent.before(of('busy'), 60_000).length).toBeLessThan(1000); // forgotten once, and begun again
  expect(recent.before({ ...of('u5'), tenant: 'other' }, 60_000)).toHaveLength(0);
});
