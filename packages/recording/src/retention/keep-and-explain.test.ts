import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, down, openClinic, person } from '../../test/clinic.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
});
afterEach(async () => {
  await clinic.close();
});

const keep = { until: '2050-01-01T00:00:00.000Z', reason: 'A complaint to the board' } as const;

describe('keepUntil', () => {
  it('keeps a recording past its rules, moves later only, and is audited each time', async () => {
    const { id } = await clinic.available();
    await clinic.fact('birth', '1980-05-01');
    const kept = await clinic.recordings.keepUntil(id, keep, clinic.admin);
    expect(kept.keepUntil).toEqual(keep);
    await expect(
      clinic.recordings.keepUntil(id, { ...keep, until: '2049-01-01T00:00:00Z' }, clinic.admin),
    ).rejects.toMatchObject({ code: 'conflict', detail: { until: keep.until } });
    await clinic.recordings.keepUntil(id, { ...keep, until: '2051-01-01T00:00:00Z' }, clinic.admin);
    const said = (await clinic.events()).filter(({ action }) => action === 'retention.keep');
    expect(said.map(({ outcome }) => outcome)).toEqual(['success', 'failed', 'success']);
    expect(said[0]).toMatchObject({ reason: keep.reason, detail: { until: keep.until }, patient: 'p1' });

    await clinic.recordings.sweep(clinic.scope);
    expect((await clinic.get(id)).decision?.retainUntil?.slice(0, 4)).toBe('2051');
    clinic.clock.set('2050-12-01T00:00:00Z');
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ deleted: [], archived: [] });
    expect(await clinic.versions('')).toBeGreaterThan(0);
  });

  it('stops a deletion that people were already warned of', async () => {
    const { id } = await clinic.available();
    await clinic.fact('birth', '1980-05-01');
    await clinic.recordings.sweep(clinic.scope);
    const { graceUntil = '' } = (await clinic.get(id)).decision ?? {};
    await clinic.warnedUntil(graceUntil);
    await clinic.recordings.keepUntil(id, keep, clinic.admin);
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ deleted: [], restored: [id] });
  });

  it('takes back a deletion that has begun and removed nothing', async () => {
    const { id } = await clinic.available();
    await clinic.fact('birth', '1980-05-01');
    await clinic.recordings.sweep(clinic.scope);
    await clinic.warnedUntil((await clinic.get(id)).decision?.graceUntil ?? '');
    // The store goes away between the intent and the first removal.
    clinic.fault = (method, when) => {
      if (method === 'recordings.noteRemoval' && when === 'before') throw down();
    };
    await clinic.recordings.sweep(clinic.scope);
    clinic.fault = undefined;
    expect(await clinic.get(id)).toMatchObject({ state: 'deleting', deletion: { versions: 0 } });
    const kept = await clinic.recordings.keepUntil(id, keep, clinic.admin);
    expect(kept).toMatchObject({ state: 'deleting', keepUntil: keep });
    clinic.clock.advance(3_600_000);
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ deleted: [], canceled: [id] });
    const back = await clinic.get(id);
    expect(['archived', 'available']).toContain(back.state);
    expect(await clinic.versions(back.objectPrefix)).toBe(1);
  });

  it('comes too late once something was removed, and says so', async () => {
    const { id } = await clinic.available();
    await clinic.fact('birth', '1980-05-01');
    await clinic.recordings.sweep(clinic.scope);
    await clinic.warnedUntil((await clinic.get(id)).decision?.graceUntil ?? '');
    clinic.fault = (method, when) => {
      if (method === 'objects.deleteVersions' && when === 'before') throw down();
    };
    await clinic.recordings.sweep(clinic.scope);
    clinic.fault = undefined;
    await expect(clinic.recordings.keepUntil(id, keep, clinic.admin)).rejects.toMatchObject({ code: 'too_late' });
    expect((await clinic.events()).at(-1)).toMatchObject({ action: 'retention.keep', outcome: 'failed' });
  });

  it('can be set at the start', async () => {
    await clinic.consent();
    const recording = await clinic.recordings.start(
      {
        sessionId: 's-1',
        patient: 'p1',
        participants: [
          { id: 'p1', role: 'patient' },
          { id: 'd1', role: 'provider' },
        ],
        provider: 'twilio',
        providerRef: clinic.server.createRoom(),
        keepUntil: { ...keep, until: '2049-12-31T19:00:00-05:00' },
      },
      clinic.doctor,
    );
    expect(recording.keepUntil).toEqual(keep);
  });

  it.each([
    ['no instant', { until: '2050-01-01' }],
    ['the past', { until: '2020-01-01T00:00:00Z' }],
    ['more than a hundred years on', { until: '2226-01-01T00:00:00Z' }],
    ['no reason', { reason: ' ' }],
  ])('refuses %s', async (_what, wrong) => {
    const { id } = await clinic.available();
    await expect(clinic.recordings.keepUntil(id, { ...keep, ...wrong }, clinic.admin)).rejects.toMatchObject({
      code: 'invalid_input',
    });
  });

  it('is refused to those who may not, and to another tenant', async () => {
    const { id } = await clinic.available();
    await expect(clinic.recordings.keepUntil(id, keep, clinic.doctor)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(clinic.recordings.keepUntil(id, keep, clinic.outsider)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('noteFact', () => {
  const zone = 'America/New_York';

  it('takes a mistake back with a reason, by a role that may, and the sweep decides again', async () => {
    const { id } = await clinic.available();
    await clinic.fact('birth', '2020-05-01');
    await clinic.recordings.sweep(clinic.scope);
    const before = (await clinic.get(id)).decision?.retainUntil;
    const { facts } = await clinic.stores.recordings.facts(clinic.scope, 'p1');
    const birth = facts.find(({ type }) => type === 'birth');
    const corrected = { patient: 'p1', type: 'birth', date: '1980-05-01', zone, voids: birth?.id ?? '' } as const;
    const reason = 'Typed the year of the visit';
    await expect(clinic.recordings.noteFact({ ...corrected, reason }, clinic.doctor)).rejects.toMatchObject({
      code: 'forbidden',
    });
    await expect(clinic.recordings.noteFact(corrected, clinic.admin)).rejects.toMatchObject({
      code: 'invalid_input',
      pointers: ['/reason'],
    });
    await clinic.recordings.noteFact({ ...corrected, reason }, clinic.admin);
    await clinic.recordings.sweep(clinic.scope);
    const after = (await clinic.get(id)).decision?.retainUntil ?? '';
    expect([before?.slice(0, 4), after.slice(0, 4)]).toEqual(['2041', '2033']);
    const event = (await clinic.events()).findLast(
      ({ action, outcome }) => action === 'retention.fact' && outcome === 'success',
    );
    expect(event).toMatchObject({ reason, detail: { type: 'birth', voids: birth?.id } });
    expect(JSON.stringify(event)).not.toContain('1980');
  });

  it('takes no fact from before 1900 or from more than a day ahead, in any type', async () => {
    for (const date of ['1899-12-31', '2026-11-23', '2996-01-01', '9999-12-31'])
      for (const type of ['treatment', 'birth', 'death', 'claim_opened'] as const)
        await expect(
          clinic.recordings.noteFact({ patient: 'p1', type, date, zone }, clinic.doctor),
        ).rejects.toMatchObject({ code: 'invalid_input', pointers: ['/date'] });
  });
});

describe('start', () => {
  it('refuses a class that no rule and no policy knows, and says which field', async () => {
    await clinic.consent();
    const zone = 'America/New_York';
    for (const [field, retentionClass] of [
      ['jurisdiction', { jurisdiction: 'GA', providerClass: 'psychologist', zone }],
      ['providerClass', { jurisdiction: 'US-GA', providerClass: 'therapist', zone }],
      ['zone', { jurisdiction: 'US-GA', providerClass: 'psychologist', zone: 'Atlanta' }],
    ] as const)
      await expect(
        clinic.recordings.start(
          {
            sessionId: 's-1',
            patient: 'p1',
            participants: [
              { id: 'p1', role: 'patient' },
              { id: 'd1', role: 'provider' },
            ],
            provider: 'twilio',
            providerRef: 'RM1',
            retentionClass,
          },
          clinic.doctor,
        ),
      ).rejects.toMatchObject({ code: 'invalid_input', pointers: [`/retentionClass/${field}`] });
  });
});

describe('createRecordings', () => {
  it('refuses a default class that no rule and no policy knows', async () => {
    const retentionClass = { jurisdiction: 'GA', providerClass: 'psychologist', zone: 'America/New_York' };
    expect(() => clinic.another({ retentionClass })).toThrowError(
      expect.objectContaining({
        code: 'invalid_configuration',
        message: expect.stringContaining('did you mean US-GA?'),
      }),
    );
  });
});

describe('sweep', () => {
  it('reports what no rule decides every time, until a fact or a policy does', async () => {
    const retentionClass = { jurisdiction: 'US-GA', providerClass: 'lpc', zone: 'America/New_York' };
    await clinic.close();
    clinic = await openClinic({ retentionClass });
    const { id } = await clinic.available();
    const row = { id, jurisdiction: 'US-GA', providerClass: 'lpc', reason: 'unknown' };
    for (let i = 0; i < 3; i++) {
      const { undecided } = await clinic.recordings.sweep(clinic.scope);
      expect(undecided).toEqual({ count: 1, recordings: [row] });
    }
    await clinic.recordings.noteFact(
      { patient: 'p1', type: 'claim_opened', date: '2026-11-21', zone: 'America/New_York' },
      clinic.doctor,
    );
    // It still cannot be told, whatever becomes of the claim.
    expect((await clinic.recordings.sweep(clinic.scope)).undecided.count).toBe(1);
  });
});

describe('explain', () => {
  it('tells rules, facts, dates, what is missing and what has to happen, and is audited first', async () => {
    const { id } = await clinic.available();
    await clinic.recordings.sweep(clinic.scope);
    const open = await clinic.recordings.explain(id, clinic.admin);
    expect(open).toMatchObject({
      state: 'available',
      status: 'retain',
      current: true,
      missing: ['birth'],
      rules: [
        { ruleId: 'us-ga-psychologist', citation: 'Ga. Comp. R. & Regs. 510-5-.04(2)', confidence: 'primary-seen' },
      ],
      facts: { used: [{ type: 'treatment' }], voided: [] },
      holds: { active: 0, list: [] },
      accessRequests: { open: 0, list: [] },
    });
    expect(open.explanation).toContain('No birth date is noted');
    expect(open.next.join(' ')).toContain('A birth date may be noted');
    expect(open.dates.retainUntil?.slice(0, 4)).toBe('2047');

    await clinic.fact('birth', '2020-05-01');
    const { facts } = await clinic.stores.recordings.facts(clinic.scope, 'p1');
    const mistake = facts.find(({ type }) => type === 'birth')?.id ?? '';
    await clinic.recordings.noteFact(
      { patient: 'p1', type: 'birth', date: '1980-05-01', zone: 'America/New_York', voids: mistake, reason: 'typo' },
      clinic.admin,
    );
    await clinic.recordings.legalHold.place({ target: { recordingId: id }, matter: 'm', reason: 'r' }, clinic.admin);
    await clinic.recordings.keepUntil(id, keep, clinic.admin);
    await clinic.recordings.accessRequests.open({ target: { recordingId: id } }, clinic.admin);
    const after = await clinic.recordings.explain(id, clinic.admin);
    expect(after.accessRequests).toMatchObject({ open: 1, list: [{ target: { recordingId: id } }] });
    expect(after).toMatchObject({ status: 'held', current: false, missing: [], keepUntil: keep });
    expect(after.facts.voided).toMatchObject([{ fact: { id: mistake } }]);
    expect(after.holds).toMatchObject({ active: 1, list: [{ matter: 'm' }] });
    expect(after.next.slice(0, 3)).toEqual([
      'The legal hold must be released.',
      'The access request must be closed.',
      'The next sweep decides again.',
    ]);
    const read = (await clinic.events()).filter(({ action }) => action === 'recording.explain');
    expect(read.map(({ kind, outcome, patient }) => [kind, outcome, patient])).toEqual([
      ['read', 'success', 'p1'],
      ['read', 'success', 'p1'],
    ]);
  });

  it('names the policy that is wanted where no verified rule decides', async () => {
    await clinic.close();
    clinic = await openClinic({
      retentionClass: { jurisdiction: 'US-TX', providerClass: 'physician', zone: 'America/Chicago' },
    });
    const { id } = await clinic.available();
    const { next, status } = await clinic.recordings.explain(id, clinic.admin);
    expect(status).toBe('unknown');
    expect(next).toContain(
      'A policy for US-TX physician must give a rule, or confirm us-tx-physician after reading the text.',
    );
  });

  it('explains a row that the rules cannot judge', async () => {
    const { id } = await clinic.available();
    const unreadable = {
      ...clinic.stores,
      recordings: {
        ...clinic.stores.recordings,
        facts: async () => ({
          facts: [{ id: 'f', patient: 'p1', type: 'treatment', date: '9999-12-31', zone: 'UTC' } as const],
          revision: 2,
        }),
      },
    };
    const { status, explanation, next } = await clinic.another({ stores: unreadable }).explain(id, clinic.admin);
    expect(status).toBe('unknown');
    expect(explanation).toContain('The rules cannot be applied');
    expect(next).toEqual(['The fact that cannot be read must be voided.']);
  });

  it('lists holds to those who may see them only, and is refused to the others', async () => {
    const { id } = await clinic.available();
    await clinic.recordings.legalHold.place({ target: { patient: 'p1' }, matter: 'm', reason: 'r' }, clinic.admin);
    const reader = person('r1', ['reader']);
    const others = clinic.another({ roles: { seeAll: ['reader'] } });
    expect(await others.explain(id, reader)).toMatchObject({ holds: { active: 1 }, accessRequests: { open: 0 } });
    expect((await others.explain(id, reader)).holds).not.toHaveProperty('list');
    for (const [ctx, code] of [
      [clinic.doctor, 'forbidden'],
      [clinic.patient, 'forbidden'],
      [clinic.outsider, 'not_found'],
    ] as const)
      await expect(clinic.recordings.explain(id, ctx)).rejects.toMatchObject({ code });
  });
});

describe('legalHold.list', () => {
  it('lists the holds of the tenant with an event for each patient, for those who may', async () => {
    const { id } = await clinic.available();
    const place = (target: { recordingId: string } | { patient: string }) =>
      clinic.recordings.legalHold.place({ target, matter: 'm', reason: 'r' }, clinic.admin);
    const first = await place({ patient: 'p1' });
    clinic.clock.advance(1000);
    const second = await place({ recordingId: id });
    await clinic.recordings.legalHold.release(first.id, clinic.admin);
    const list = async (query: object) =>
      (await clinic.recordings.legalHold.list(query, clinic.admin)).holds.map((hold) => hold.id);
    expect(await list({})).toEqual([second.id, first.id]);
    expect(await list({ active: true })).toEqual([second.id]);
    expect(await list({ patient: 'p1', active: false })).toEqual([first.id]);
    const page = await clinic.recordings.legalHold.list({ limit: 1 }, clinic.admin);
    expect(await list({ cursor: page.cursor })).toEqual([first.id]);
    const read = (await clinic.events()).filter(({ action }) => action === 'hold.list');
    expect(read.slice(0, 2).map(({ patient, detail }) => [patient, detail?.count])).toEqual([
      [undefined, 1],
      ['p1', 1],
    ]);
    await expect(clinic.recordings.legalHold.list({}, clinic.doctor)).rejects.toMatchObject({ code: 'forbidden' });
    expect(await clinic.recordings.legalHold.list({}, clinic.outsider)).toEqual({ holds: [] });
    for (const limit of [0, 1001])
      await expect(clinic.recordings.legalHold.list({ limit }, clinic.admin)).rejects.toMatchObject({
        code: 'invalid_input',
      });
  });
});
