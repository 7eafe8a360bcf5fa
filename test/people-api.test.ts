import { type AuditEvent, canonicalize, isUuid, type NewRecording } from '@medzen/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Clinic, clinicSchema, openClinic, type Person } from './people-api-fixture.ts';

const scope = { tenant: 'default' };
const patientClaims = { roles: ['patient'], app_metadata: { tenant: 'default' } };
const ama = 'firebase-uid-ama';

let clinic: Clinic;
let patient: Person;
let provider: Person;
let outsider: Person;
let auditor: Person;
let admin: Person;
beforeAll(async () => {
  clinic = await openClinic();
  patient = await clinic.person(ama, patientClaims);
  provider = await clinic.person('dr-kofi', { roles: ['provider'] });
  outsider = await clinic.person('dr-esi', { roles: ['provider'] });
  auditor = await clinic.person('auditor-1', { roles: ['auditor'] });
  admin = await clinic.person('admin-1', { roles: ['system_admin'] });
}, 120_000);
afterAll(() => clinic.close());

/** A recording of Ama by Dr Kofi, without anybody's consent being asked. */
async function started(given: Partial<NewRecording> = {}): Promise<NewRecording> {
  const { stores, samples } = clinic;
  const row = samples.newRecording({
    patient: ama,
    participants: [
      { id: ama, role: 'patient', location: 'US-GA' },
      { id: 'dr-kofi', role: 'provider' },
    ],
    ...given,
  });
  const { status } = await stores.recordings.start(scope, row, [], samples.event({ action: 'recording.start' }));
  expect(status).toBe('started');
  return row;
}

/** The one event that was written meanwhile; its bytes are canonical. */
async function eventOf(work: () => Promise<unknown>): Promise<AuditEvent> {
  const [body = '{}', ...more] = await clinic.eventsOf(work);
  expect(more).toEqual([]);
  const event = JSON.parse(body) as AuditEvent; // of the database's own making
  expect(canonicalize(event)).toBe(body);
  expect([isUuid(event.id), event.nonce.length]).toEqual([true, 32]);
  return event;
}

const consentText = {
  p_text_version: '2026-11',
  p_text_sha256: 'ab'.repeat(32),
  p_language: 'fr-CM',
  p_acknowledged_recording: true,
  p_acknowledged_storage: true,
  p_acknowledged_access: true,
  p_acknowledged_retention: true,
};

describe('my recordings', () => {
  test('come in pages, newest first, each once, and only those in which I take part', async () => {
    const mine: string[] = [];
    for (let at = 10; at < 15; at++)
      mine.unshift((await started({ sessionId: `paged-${at}`, startedAt: `2026-11-01T${at}:00:00.000Z` })).id);
    await started({ patient: 'other', participants: [{ id: 'other', role: 'patient' }] });
    const seen: unknown[] = [];
    let cursor: string | undefined;
    do {
      const { data } = await patient.call('list_my_recordings', {
        p_limit: 2,
        ...(cursor === undefined ? {} : { p_cursor: cursor }),
      });
      seen.push(...(data?.recordings ?? []).map(({ id }) => id));
      cursor = data?.cursor;
    } while (cursor !== undefined);
    expect(seen).toEqual(mine);
    expect((await outsider.call('list_my_recordings')).data).toEqual({ status: 'ok', recordings: [] });
    expect(
      (await provider.call('list_my_recordings', { p_session_id: 'paged-12', p_state: 'starting' })).data?.recordings,
    ).toHaveLength(1);
  });

  test('show state, times and participants, and nothing of storage, provider, failure, holds or law', async () => {
    const row = await started();
    const { samples, stores } = clinic;
    const failed = {
      expectedRevision: 1,
      to: 'failed',
      at: row.startedAt,
      failure: { code: 'provider_lost', at: row.startedAt, attempts: 1 },
    } as const;
    await stores.recordings.change(scope, row.id, failed, samples.event());
    await stores.recordings.placeHold(scope, samples.hold({ recordingId: row.id }), samples.event());
    const { data } = await patient.call('get_my_recording', { p_recording_id: row.id });
    expect(data).toEqual({
      status: 'ok',
      recording: {
        id: row.id,
        sessionId: row.sessionId,
        participants: [
          { id: ama, role: 'patient' },
          { id: 'dr-kofi', role: 'provider' },
        ],
        state: 'failed',
        stateAt: row.startedAt,
        startedAt: row.startedAt,
      },
    });
    const { data: list } = await patient.call('list_my_recordings', { p_session_id: row.sessionId });
    expect(list?.recordings).toEqual([data?.recording]);
  });

  test('leave an event of who looked, at what, whose it is, why and from where', async () => {
    const row = await started();
    const event = await eventOf(() => provider.call('get_my_recording', { p_recording_id: row.id }));
    expect(event).toMatchObject({
      v: 1,
      tenant: 'default',
      action: 'recording.status',
      kind: 'read',
      outcome: 'success',
      actor: { id: 'dr-kofi', type: 'user' },
      patient: ama,
      target: { type: 'recording', id: row.id },
      purpose: 'TREAT',
      detail: { state: 'starting' },
    });
    expect(event.actor.role?.split(',')).toContain('provider');
    const listed = await eventOf(() => provider.call('list_my_recordings', { p_session_id: row.sessionId }));
    expect(listed).toMatchObject({ action: 'recording.list', patient: ama, detail: { count: 1 }, outcome: 'success' });
    expect(await eventOf(() => patient.call('get_my_recording', { p_recording_id: row.id }))).toMatchObject({
      actor: { id: ama },
      patient: ama,
      purpose: 'PATRQT',
    });
    const nothing = await eventOf(() => outsider.call('list_my_recordings'));
    expect(nothing).toMatchObject({ action: 'recording.list', actor: { id: 'dr-esi' }, detail: { count: 0 } });
    expect(nothing.patient).toBeUndefined();
  });

  test('a page of several patients leaves an event for each of them', async () => {
    const shared = [ama, 'kwame'].map((who, at) => ({
      patient: who,
      startedAt: `2026-10-0${at + 1}T00:00:00.000Z`,
      participants: [{ id: 'dr-abena', role: 'provider' as const }],
    }));
    for (const row of shared) await started(row);
    const abena = await clinic.person('dr-abena');
    const bodies = await clinic.eventsOf(() => abena.call('list_my_recordings'));
    expect(bodies.map((body) => (JSON.parse(body) as AuditEvent).patient).sort()).toEqual([ama, 'kwame']);
  });

  test('of others answer forbidden, as those that do not exist do; both leave a denial', async () => {
    const row = await started();
    const missing = clinic.samples.ids.uuid();
    for (const [id, whose] of [
      [row.id, ama],
      [missing, undefined],
    ] as const) {
      const event = await eventOf(async () => {
        const { data, status } = await outsider.call('get_my_recording', { p_recording_id: id });
        expect([data, status]).toEqual([{ status: 'forbidden' }, 200]);
      });
      expect(event).toMatchObject({
        outcome: 'denied',
        actor: { id: 'dr-esi' },
        target: { type: 'recording', id },
        detail: { code: 'forbidden' },
      });
      expect(event.patient).toBe(whose);
    }
    // Not for whoever may examine the log either: that is another right.
    for (const one of [auditor, admin])
      expect((await one.call('get_my_recording', { p_recording_id: row.id })).data).toEqual({ status: 'forbidden' });
  });
});

describe('my consent', () => {
  test('is what a start of a recording looks at, until it is withdrawn', async () => {
    const { stores, samples } = clinic;
    const row = samples.newRecording({
      sessionId: 'session-consent',
      patient: ama,
      participants: [{ id: ama, role: 'patient' }],
    });
    const event = await eventOf(() =>
      patient.call('give_consent', { p_session_id: row.sessionId, ...consentText, p_location: 'CM' }),
    );
    expect(event).toMatchObject({
      action: 'consent.give',
      kind: 'create',
      actor: { id: ama },
      patient: ama,
      target: { type: 'session', id: row.sessionId },
      detail: { participant: ama, textVersion: '2026-11', method: 'click' },
    });
    expect((await stores.recordings.start(scope, row, [ama], samples.event())).status).toBe('started');
    const { data } = await patient.call('withdraw_consent', { p_session_id: row.sessionId });
    expect(data).toMatchObject({
      status: 'recorded',
      consent: { decision: 'withdrawn', textVersion: '2026-11', language: 'fr-CM', location: 'CM', participant: ama },
      stillRecording: [row.id],
    });
    const claims = await stores.recordings.claimStops(scope, { limit: 10, leaseMs: 1000 });
    expect(claims.map(({ recording }) => [recording.id, recording.stopRequest?.consent])).toEqual([
      [row.id, data?.consent?.id],
    ]);
    const again = samples.newRecording({
      ...row,
      id: samples.ids.uuid(),
      sessionId: row.sessionId,
      providerRef: 'RM2',
    });
    await stores.recordings.change(
      scope,
      row.id,
      { expectedRevision: 1, to: 'processing', at: row.startedAt },
      samples.event(),
    );
    expect(await stores.recordings.start(scope, again, [ama], samples.event())).toEqual({
      status: 'consent_required',
      missing: [ama],
    });

    const listing = await eventOf(async () => {
      const { data: all } = await patient.call('list_my_consents', { p_session_id: row.sessionId });
      expect(all?.consents?.map(({ decision }) => decision)).toEqual(['withdrawn', 'given']);
      expect(all?.consents?.[0]).toEqual(data?.consent);
    });
    expect(listing).toMatchObject({ action: 'consent.view', detail: { count: 2 }, target: { id: row.sessionId } });
    expect((await provider.call('list_my_consents', { p_session_id: row.sessionId })).data?.consents).toEqual([]);
  });

  test('withdrawn by one who had given it and is not listed stops what runs; by one who only knows the session, nothing', async () => {
    const { stores, samples } = clinic;
    const row = samples.newRecording({ sessionId: 'session-guest', participants: [{ id: ama, role: 'patient' }] });
    await stores.recordings.start(scope, row, [], samples.event());
    const guest = await clinic.person('guest-of-ama');
    const withdraw = async () => (await guest.call('withdraw_consent', { p_session_id: row.sessionId })).data;
    expect(await withdraw()).toMatchObject({ status: 'recorded', stillRecording: [] });
    expect((await stores.recordings.get(scope, row.id))?.stopRequest).toBeUndefined();
    await guest.call('give_consent', { p_session_id: row.sessionId, ...consentText });
    expect(await withdraw()).toMatchObject({ status: 'recorded', stillRecording: [row.id] });
    expect((await stores.recordings.get(scope, row.id))?.stopRequest).toBeDefined();
  });

  test('given again under its id is the same, also at the same moment; with other content it is refused', async () => {
    const args = { p_session_id: 'session-retry', ...consentText, p_id: clinic.samples.ids.uuid() };
    await provider.call('give_consent', { ...args, p_id: clinic.samples.ids.uuid() }); // so that the session is there
    const { db } = clinic;
    const holder = await db.connect();
    const bodies = await clinic.eventsOf(async () => {
      await holder.query(
        `BEGIN; SELECT FROM ${clinicSchema}.consent_session WHERE session_id = 'session-retry' FOR UPDATE`,
      );
      const calls = Promise.all([1, 2].map(() => patient.call('give_consent', args)));
      for (let waiting = 0; waiting < 2; await new Promise((next) => setTimeout(next, 10))) {
        const { rows } = await db.pool.query(
          "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        );
        waiting = Number(rows[0]?.n);
      }
      await holder.query('COMMIT');
      const answers = await calls;
      expect(answers.map(({ data }) => data?.status).sort()).toEqual(['recorded', 'repeated']);
      expect(answers[0]?.data?.consent).toEqual(answers[1]?.data?.consent);
    });
    expect(bodies).toHaveLength(1);
    expect((await patient.call('give_consent', { ...args, p_text_version: '2' })).code).toBe('MZ009');
    expect((await provider.call('give_consent', args)).code).toBe('MZ009');
    const withdrawal = { p_session_id: 'session-retry', p_id: clinic.samples.ids.uuid() };
    expect((await patient.call('withdraw_consent', withdrawal)).data?.status).toBe('recorded');
    expect((await patient.call('withdraw_consent', withdrawal)).data?.status).toBe('repeated');
    const later = { ...args, p_id: clinic.samples.ids.uuid(), p_text_version: 'later' };
    expect((await patient.call('give_consent', later)).data?.status).toBe('recorded');
    expect((await patient.call('withdraw_consent', withdrawal)).data?.consent).toMatchObject({
      textVersion: consentText.p_text_version,
    });
  });

  test('is refused to a subject too long for a participant', async () => {
    const long = await clinic.person('x'.repeat(257));
    const bodies = await clinic.eventsOf(async () => {
      const answer = await long.call('give_consent', { p_session_id: 'session-long', ...consentText });
      expect(answer).toMatchObject({ data: null, code: 'MZ001' });
    });
    expect(bodies).toEqual([]);
  });

  test.each([
    ['p_session_id', ''],
    ['p_session_id', 'x'.repeat(257)],
    ['p_session_id', null],
    ['p_text_version', 'a\nb'],
    ['p_text_sha256', 'AB'.repeat(32)],
    ['p_text_sha256', null],
    ['p_language', 'x'.repeat(65)],
    ['p_location', 'somewhere in the north'],
    ['p_method', 'verbal'],
    ['p_acknowledged_storage', null],
  ])('is refused with %s of %j, and nothing is written', async (name, value) => {
    const bodies = await clinic.eventsOf(async () => {
      const answer = await patient.call('give_consent', { p_session_id: 'session-bad', ...consentText, [name]: value });
      expect(answer).toMatchObject({ data: null, code: 'MZ001' });
    });
    expect(bodies).toEqual([]);
  });
});

describe('who saw my record', () => {
  test('names everybody who did or tried, not from where or why, page by page', async () => {
    const kojo = await clinic.person('kojo', patientClaims);
    const row = await started({ patient: 'kojo', participants: [{ id: 'dr-kofi', role: 'provider' }] });
    await provider.call('get_my_recording', { p_recording_id: row.id });
    await outsider.call('get_my_recording', { p_recording_id: row.id });
    const urgent = {
      purpose: 'BTG',
      reason: 'Unconscious',
      actor: { id: 'dr-x', type: 'user', name: 'Dr X' },
    } as const;
    await clinic.stores.audit.append(scope, [clinic.samples.event({ patient: 'kojo', ...urgent })]);
    const { data } = await kojo.call('list_accesses_to_me', { p_limit: 2 });
    const { data: rest } = await kojo.call('list_accesses_to_me', { p_limit: 200, p_cursor: data?.cursor });
    const all = [...(data?.accesses ?? []), ...(rest?.accesses ?? [])];
    const mine = all.filter(({ action }) => action !== 'audit.report');
    expect(
      mine.map(({ action, outcome, actor, purpose }) => [action, outcome, (actor as { id: string }).id, purpose]),
    ).toEqual(
      expect.arrayContaining([
        ['recording.status', 'success', 'dr-kofi', 'TREAT'],
        ['recording.status', 'denied', 'dr-esi', 'TREAT'],
        ['recording.view', 'success', 'dr-x', 'BTG'],
      ]),
    );
    expect(JSON.stringify(all)).not.toMatch(/Unconscious|127\.0\.0\.1|192\.0\.2|nonce|detail|source/);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    const event = await eventOf(() => kojo.call('list_accesses_to_me', { p_to: '2020-01-01T00:00:00Z' }));
    expect(event).toMatchObject({
      action: 'audit.report',
      kind: 'read',
      purpose: 'PATRQT',
      patient: 'kojo',
      actor: { id: 'kojo' },
      detail: { count: 0 },
    });
  });

  test('is asked under the id that the host gives the patient, and by nobody who is none', async () => {
    const own = await clinic.db.pool.query(
      `SELECT pg_get_functiondef('${clinicSchema}.current_patient'::regproc) AS sql`,
    );
    await clinic.db.pool.query(`
      CREATE TABLE public.chart (subject text PRIMARY KEY, mrn text NOT NULL); INSERT INTO public.chart VALUES ('${ama}', 'MRN-7');
      CREATE OR REPLACE FUNCTION ${clinicSchema}.current_patient() RETURNS text
      LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
      AS $$ SELECT c.mrn FROM public.chart c WHERE c.subject = ${clinicSchema}.current_subject() $$`);
    try {
      await clinic.stores.audit.append(scope, [clinic.samples.event({ patient: 'MRN-7', action: 'note.view' })]);
      const { data } = await patient.call('list_accesses_to_me');
      expect(data?.accesses?.map(({ action }) => action)).toEqual(['note.view']);
      const event = await eventOf(async () => {
        expect((await provider.call('list_accesses_to_me')).data).toEqual({ status: 'forbidden' });
      });
      expect(event).toMatchObject({ action: 'audit.report', outcome: 'denied', actor: { id: 'dr-kofi' } });
    } finally {
      await clinic.db.pool.query(String(own.rows[0]?.sql));
    }
  });
});

describe('the log', () => {
  test('is searched by auditors and system admins, and every search is an event of its own', async () => {
    const row = await started({ patient: 'yaa', participants: [{ id: 'dr-kofi', role: 'provider' }] });
    await provider.call('get_my_recording', { p_recording_id: row.id });
    for (const one of [auditor, admin]) {
      const event = await eventOf(async () => {
        const { data } = await one.call('search_audit', {
          p_patient: 'yaa',
          p_done_by: 'dr-kofi',
          p_action: 'recording.status',
        });
        expect(data?.events).toMatchObject([
          { v: 1, actor: { id: 'dr-kofi' }, patient: 'yaa', target: { id: row.id } },
        ]);
      });
      expect(event).toMatchObject({
        action: 'audit.search',
        kind: 'read',
        outcome: 'success',
        patient: 'yaa',
        purpose: 'HOPERAT',
        detail: { count: 1, filters: ['action', 'doneBy', 'patient'] },
      });
      expect(['auditor-1', 'admin-1']).toContain(event.actor.id);
    }
  });

  test('is shut to everybody else, who leave a denial', async () => {
    for (const [one, id] of [
      [patient, ama],
      [provider, 'dr-kofi'],
    ] as const) {
      const event = await eventOf(async () => {
        expect((await one.call('search_audit', { p_patient: 'yaa' })).data).toEqual({ status: 'forbidden' });
      });
      expect(event).toMatchObject({ action: 'audit.search', outcome: 'denied', actor: { id }, patient: 'yaa' });
    }
  });

  test.each(['', 'x'.repeat(257), 'typed\ninto the log'])('is not searched for a patient %j', async (p_patient) => {
    const bodies = await clinic.eventsOf(async () => {
      for (const one of [patient, auditor])
        expect(await one.call('search_audit', { p_patient })).toMatchObject({ data: null, code: 'MZ001' });
    });
    expect(bodies).toEqual([]);
  });

  test('is paged without a gap while others write, and says which events are damaged', async () => {
    const { db, stores, samples } = clinic;
    const written = Array.from({ length: 5 }, () => samples.event({ action: 'paging.test' }));
    await stores.audit.append(scope, written);
    const first = await auditor.call('search_audit', { p_action: 'paging.test', p_limit: 3 });
    await stores.audit.append(scope, [samples.event({ action: 'paging.test' })]);
    const second = await auditor.call('search_audit', {
      p_action: 'paging.test',
      p_limit: 3,
      p_cursor: first.data?.cursor,
    });
    const ids = [first, second].flatMap(({ data }) => data?.events ?? []).map(({ id }) => id);
    expect(ids).toEqual(
      written
        .map(({ id }) => id)
        .sort()
        .reverse(),
    );
    expect(second.data?.cursor).toBeUndefined();

    const owner = await db.connect();
    await owner.query('SET session_replication_role = replica');
    await owner.query(`UPDATE ${clinicSchema}.audit_event SET body = '\\xff' WHERE id = $1`, [written[0]?.id]);
    const { data } = await auditor.call('search_audit', { p_action: 'paging.test' });
    expect([data?.events?.length, data?.damaged]).toEqual([5, [written[0]?.id]]);
  });
});

describe('for system admins', () => {
  test('the holds that concern a recording, its own and its patient’s', async () => {
    const { stores, samples } = clinic;
    const row = await started({ patient: 'held' });
    await stores.recordings.placeHold(scope, samples.hold({ recordingId: row.id }), samples.event());
    await stores.recordings.placeHold(scope, samples.hold({ patient: 'held' }), samples.event());
    const event = await eventOf(async () => {
      const { data } = await admin.call('list_recording_holds', { p_recording_id: row.id });
      expect(data?.holds?.map(({ target }) => target)).toEqual(
        expect.arrayContaining([{ recordingId: row.id }, { patient: 'held' }]),
      );
    });
    expect(event).toMatchObject({ action: 'hold.list', patient: 'held', target: { id: row.id }, detail: { count: 2 } });
    const missing = await eventOf(async () => {
      const { data } = await admin.call('list_recording_holds', { p_recording_id: samples.ids.uuid() });
      expect(data).toEqual({ status: 'not_found' });
    });
    expect(missing).toMatchObject({ action: 'hold.list', outcome: 'failed', purpose: 'HOPERAT' });
    for (const one of [patient, provider, auditor]) {
      const denied = await eventOf(async () => {
        expect((await one.call('list_recording_holds', { p_recording_id: row.id })).data).toEqual({
          status: 'forbidden',
        });
      });
      expect(denied).toMatchObject({ action: 'hold.list', outcome: 'denied', patient: 'held' });
    }
  });

  test('what waits for its deletion, the longest first and page by page, with an event for each patient', async () => {
    const { stores, samples } = clinic;
    const due: string[] = [];
    for (const year of ['2019', '2020', '2021', '2090']) {
      const row = await started({ patient: `due-${year}` });
      for (const to of ['uploading', 'available'] as const)
        await stores.recordings.change(
          scope,
          row.id,
          {
            expectedRevision: to === 'uploading' ? 1 : 2,
            to,
            at: row.startedAt,
            ...(to === 'available' ? { object: samples.object() } : {}),
          },
          samples.event(),
        );
      const retainUntil = `${year}-01-02T05:00:00.000Z`;
      await stores.recordings.saveDecision(scope, row.id, samples.decision({ retainUntil }), samples.event());
      due.push(row.id);
    }
    const bodies = await clinic.eventsOf(async () => {
      const first = await admin.call('list_pending_deletions', { p_limit: 2 });
      const second = await admin.call('list_pending_deletions', { p_limit: 2, p_cursor: first.data?.cursor });
      const pages = [first, second].flatMap(({ data }) => data?.recordings ?? []);
      expect(pages.map(({ id }) => id)).toEqual(due.slice(0, 3));
      expect(pages[0]).toMatchObject({
        patient: 'due-2019',
        pendingSince: '2019-01-02T05:00:00.000Z',
        state: 'available',
        holds: 0,
      });
      expect(JSON.stringify(pages)).not.toMatch(/object|prefix|provider/i);
      expect(second.data?.cursor).toBeUndefined();
    });
    expect(bodies.map((body) => (JSON.parse(body) as AuditEvent).patient).sort()).toEqual([
      'due-2019',
      'due-2020',
      'due-2021',
    ]);
    const denied = await eventOf(async () => {
      expect((await auditor.call('list_pending_deletions')).data).toEqual({ status: 'forbidden' });
    });
    expect(denied).toMatchObject({ action: 'recording.list', outcome: 'denied', actor: { id: 'auditor-1' } });
  });
});

describe('another tenant', () => {
  test('sees and searches nothing of this one, and its events are its own', async () => {
    const row = await started();
    const elsewhere = { app_metadata: { tenant: 'north' }, roles: ['auditor', 'system_admin'] };
    const twin = await clinic.person(ama, elsewhere);
    const bodies = await clinic.eventsOf(async () => {
      expect((await twin.call('list_my_recordings')).data?.recordings).toEqual([]);
      expect((await twin.call('get_my_recording', { p_recording_id: row.id })).data).toEqual({ status: 'forbidden' });
      expect((await twin.call('search_audit', { p_action: 'recording.start' })).data?.events).toEqual([]);
      expect((await twin.call('list_recording_holds', { p_recording_id: row.id })).data).toEqual({
        status: 'not_found',
      });
      expect((await twin.call('list_pending_deletions')).data?.recordings).toEqual([]);
    });
    expect(bodies).toHaveLength(5);
    for (const body of bodies) expect(JSON.parse(body)).toMatchObject({ tenant: 'north' });
    expect(bodies.filter((body) => body.includes('"patient":'))).toEqual([]); // not even whose it would be
  });
});

describe('my access requests', () => {
  test('are opened by the patient alone, stop deletions, and are listed with their outcome', async () => {
    const { stores, samples } = clinic;
    const row = await started();
    const id = samples.ids.uuid();
    const opened = await eventOf(async () => {
      const { data } = await patient.call('request_access', { p_recording_id: row.id, p_id: id });
      expect(data).toMatchObject({ status: 'opened', request: { id, recordingId: row.id } });
    });
    expect(opened).toMatchObject({
      action: 'access_request.open',
      outcome: 'success',
      purpose: 'PATRQT',
      patient: ama,
      actor: { id: ama },
      target: { type: 'recording', id: row.id },
      detail: { request: id },
    });
    expect((await stores.recordings.get(scope, row.id))?.accessRequests).toBe(1);
    const { requests } = await stores.recordings.accessRequests(scope, { id });
    expect(requests).toMatchObject([{ requestedBy: ama, openedBy: ama }]);
    const [request] = requests;
    expect(Date.parse(request?.dueAt ?? '') - Date.parse(request?.receivedAt ?? '')).toBe(30 * 86_400_000);
    const again = await patient.call('request_access', { p_recording_id: row.id, p_id: id });
    expect(again.data).toMatchObject({ status: 'repeated', request: { id } });
    expect((await stores.recordings.get(scope, row.id))?.accessRequests).toBe(1);

    const closing = { at: new Date().toISOString(), by: 'officer', outcome: 'provided' } as const;
    await stores.recordings.closeAccessRequest(scope, id, closing, samples.event());
    const listed = await eventOf(async () => {
      const { data } = await patient.call('list_my_access_requests');
      expect(data).toMatchObject({ status: 'ok', requests: [{ id, recordingId: row.id, outcome: 'provided' }] });
      expect(JSON.stringify(data)).not.toContain('officer');
    });
    expect(listed).toMatchObject({ action: 'access_request.list', patient: ama, detail: { count: 1 } });
  });

  test('are refused to everybody else, and come too late once something was removed', async () => {
    const row = await started();
    for (const one of [provider, outsider, auditor, admin]) {
      const denied = await eventOf(async () => {
        expect((await one.call('request_access', { p_recording_id: row.id })).data).toEqual({ status: 'forbidden' });
      });
      expect(denied).toMatchObject({ action: 'access_request.open', outcome: 'denied', patient: ama });
      expect((await one.call('list_my_access_requests')).data).toEqual({ status: 'ok', requests: [] });
    }
    const owner = await clinic.db.connect();
    await owner.query('SET session_replication_role = replica');
    await owner.query(
      `UPDATE ${clinicSchema}.recording SET state = 'deleting', removed_versions = 1,
         deletion = '{"from": "available", "basis": "retention"}' WHERE id = $1`,
      [row.id],
    );
    const late = await eventOf(async () => {
      expect((await patient.call('request_access', { p_recording_id: row.id })).data).toEqual({ status: 'too_late' });
    });
    expect(late).toMatchObject({ action: 'access_request.open', outcome: 'failed', detail: { code: 'too_late' } });
  });
});
