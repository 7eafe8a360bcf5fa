import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acknowledged, type Clinic, down, openClinic, person, startInput } from '../test/clinic.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
});
afterEach(() => clinic.close());

function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );
}

describe('start', () => {
  it('records once everyone has consented, and tells the provider', async () => {
    const recording = await clinic.start();
    expect(recording).toMatchObject({
      state: 'recording',
      patient: 'p1',
      objectPrefix: `clinic/2026/11/${recording.id}/`,
    });
    expect(clinic.server.outbox.map(({ event }) => event)).toEqual(['recording-started', 'recording-started']);
    expect((await clinic.events()).filter(({ action }) => action === 'recording.start')).toMatchObject([
      { outcome: 'success', patient: 'p1', actor: { id: 'd1', role: 'provider' }, target: { id: recording.id } },
    ]);
  });

  it('is refused before consent, naming who is missing, by which rule, and audits the refusal', async () => {
    const error = await failure(clinic.recordings.start(startInput(clinic.server.createRoom()), clinic.doctor));
    expect(error).toMatchObject({
      code: 'consent_required',
      detail: {
        missing: [
          { id: 'p1', role: 'patient' },
          { id: 'd1', role: 'provider' },
        ],
        rule: 'all_party',
        citations: [expect.stringContaining('16-11-62(2)')],
      },
    });
    expect(await clinic.events()).toMatchObject([
      { action: 'recording.start', outcome: 'denied', patient: 'p1', detail: { code: 'consent_required' } },
    ]);
    expect(clinic.server.outbox).toEqual([]);
  });

  it('wants all four acknowledgements', async () => {
    await clinic.consent();
    await clinic.recordings.consent.give(
      {
        sessionId: 's-1',
        acknowledgements: { ...acknowledged, storage: false },
        textVersion: '2026-01',
        text: 'May we?',
        language: 'en',
        method: 'click',
      },
      clinic.patient,
    );
    const error = await failure(clinic.recordings.start(startInput(clinic.server.createRoom()), clinic.doctor));
    expect(error).toMatchObject({ code: 'consent_required', detail: { missing: [{ id: 'p1', role: 'patient' }] } });
  });

  it('asks the law of the place that a participant stated, when the host believes otherwise', async () => {
    const lenient = clinic.another({ consentFrom: 'law' });
    const room = clinic.server.createRoom();
    const participants = [
      { id: 'p1', role: 'patient', location: 'US-TX' },
      { id: 'd1', role: 'provider', location: 'US-TX' },
    ] as const;
    const say = (location: string) =>
      lenient.consent.give(
        {
          sessionId: 's-1',
          acknowledgements: acknowledged,
          textVersion: '1',
          text: 'May we?',
          language: 'en',
          method: 'click',
          location,
        },
        clinic.patient,
      );
    await say('US-CA');
    expect(await failure(lenient.start({ ...startInput(room), participants }, clinic.doctor))).toMatchObject({
      code: 'consent_required',
      detail: { missing: [{ id: 'd1', role: 'provider' }] },
    });
    await say('US-TX');
    expect(await lenient.start({ ...startInput(room), participants }, clinic.doctor)).toMatchObject({
      state: 'recording',
    });
  });

  it('is refused to whoever does not take part, and to a patient', async () => {
    await clinic.consent();
    const room = clinic.server.createRoom();
    for (const ctx of [clinic.stranger, clinic.patient])
      expect(await failure(clinic.recordings.start(startInput(room), ctx))).toMatchObject({ code: 'forbidden' });
    expect((await clinic.events()).filter(({ outcome }) => outcome === 'denied')).toHaveLength(2);
  });

  it('answers conflict to a second start of the same session, and names the first', async () => {
    const first = await clinic.start();
    const error = await failure(clinic.recordings.start(startInput(clinic.server.createRoom()), clinic.doctor));
    expect(error).toMatchObject({ code: 'conflict', detail: { recordingId: first.id } });
  });

  it('lets one of two simultaneous starts win', async () => {
    await clinic.consent();
    const room = clinic.server.createRoom();
    const answers = await Promise.all(
      [1, 2].map(() => failure(clinic.recordings.start(startInput(room), clinic.doctor))),
    );
    expect(answers.filter((answer) => answer === 'no failure')).toHaveLength(1);
    expect(answers.filter((answer) => answer !== 'no failure')).toMatchObject([{ code: 'conflict' }]);
  });

  it('takes a retry with the same id for the same start', async () => {
    await clinic.consent();
    const input = { ...startInput(clinic.server.createRoom()), id: '019aa7c4-0000-7000-8000-000000000001' };
    const first = await clinic.recordings.start(input, clinic.doctor);
    expect(await clinic.recordings.start(input, clinic.doctor)).toEqual(first);
  });

  it('takes no start with other people for a retry, though it names the same id', async () => {
    const { id, providerRef } = await clinic.start();
    const { patient, stranger } = clinic;
    const word = {
      sessionId: 's-1',
      acknowledgements: acknowledged,
      textVersion: '1',
      text: 't',
      language: 'en',
    } as const;
    await clinic.recordings.consent.give({ ...word, method: 'click' }, stranger);
    const participants = [
      { id: patient.actor.id, role: 'patient' },
      { id: stranger.actor.id, role: 'provider' },
    ] as const;
    const asked = { ...startInput(providerRef), id, participants };
    expect(await failure(clinic.recordings.start(asked, stranger))).toMatchObject({ code: 'conflict' });
  });

  it('fails the recording when the provider refuses it, so that nobody believes it runs', async () => {
    await clinic.consent();
    clinic.server.fail({ on: 'api', status: 404 });
    const error = await failure(clinic.recordings.start(startInput(clinic.server.createRoom()), clinic.doctor));
    expect(error).toMatchObject({ code: 'not_available' });
    const { recordings } = await clinic.stores.recordings.list(clinic.scope, {});
    expect(recordings).toMatchObject([{ state: 'failed', failure: { code: 'not_available' } }]);
  });

  it('leaves the recording starting when nobody knows whether the provider began, and says so', async () => {
    await clinic.consent();
    for (let i = 0; i < 3; i++) clinic.server.fail({ on: 'api', status: 503 });
    const error = await failure(clinic.recordings.start(startInput(clinic.server.createRoom()), clinic.doctor));
    const { recordings } = await clinic.stores.recordings.list(clinic.scope, {});
    expect(recordings).toMatchObject([{ state: 'starting' }]);
    expect(recordings[0]?.failure).toBeUndefined();
    expect(error).toMatchObject({
      code: 'provider_unavailable',
      retryable: true,
      detail: { recordingId: recordings[0]?.id, state: 'starting' },
    });
  });

  it('survives a lost answer of the provider: the rule is set once more', async () => {
    await clinic.consent();
    clinic.server.fail({ on: 'api', hangUp: true });
    expect(await clinic.recordings.start(startInput(clinic.server.createRoom()), clinic.doctor)).toMatchObject({
      state: 'recording',
    });
  });

  it('writes nothing and records nothing while the store is down', async () => {
    await clinic.consent();
    const before = clinic.stores.inspect.countEvents();
    clinic.fault = (method, when) => {
      if (method === 'recordings.start' && when === 'before') throw down();
    };
    expect(await failure(clinic.recordings.start(startInput(clinic.server.createRoom()), clinic.doctor))).toMatchObject(
      {
        code: 'store_unavailable',
      },
    );
    expect(clinic.stores.inspect.countEvents()).toBe(before);
    expect(clinic.server.outbox).toEqual([]);
  });

  it('does not tell a refusal that could not be written down', async () => {
    clinic.fault = (method) => {
      if (method === 'audit.append') throw down();
    };
    expect(await failure(clinic.recordings.start(startInput(clinic.server.createRoom()), clinic.doctor))).toMatchObject(
      {
        code: 'store_unavailable',
      },
    );
  });

  it.each([
    ['no participants', { participants: [] }],
    ['a patient who is not there', { patient: 'p2' }],
    [
      'a participant twice',
      { participants: [...(startInput('RM1').participants ?? []), ...startInput('RM1').participants] },
    ],
    ['a provider that is not configured', { provider: 'constructor' }],
    ['an id that is no UUID', { id: '../other/' }],
    [
      'a zone that does not exist',
      { retentionClass: { jurisdiction: 'US-GA', providerClass: 'psychologist', zone: 'Mars' } },
    ],
    ['a control character', { sessionId: 'a\nb' }],
  ])('refuses %s', async (_what, wrong) => {
    await clinic.consent();
    expect(
      await failure(clinic.recordings.start({ ...startInput(clinic.server.createRoom()), ...wrong }, clinic.doctor)),
    ).toMatchObject({ code: 'invalid_input' });
  });
});

describe('stop', () => {
  it('stops capture at the provider and waits for its media', async () => {
    const { id } = await clinic.start();
    clinic.clock.advance(60_000);
    expect(await clinic.recordings.stop(id, clinic.doctor)).toMatchObject({
      state: 'processing',
      endedAt: '2026-11-21T15:01:00.000Z',
    });
    expect(clinic.server.outbox.at(-1)?.event).toBe('recording-completed');
  });

  it('answers a second stop with the recording as it is', async () => {
    const { id } = await clinic.start();
    const stopped = await clinic.recordings.stop(id, clinic.doctor);
    expect(await clinic.recordings.stop(id, clinic.doctor)).toEqual(stopped);
  });

  it('does not know what was never started', async () => {
    for (const id of ['019aa7c4-0000-7000-8000-000000000001', 'x', '../..'])
      expect(await failure(clinic.recordings.stop(id, clinic.doctor))).toMatchObject({ code: 'not_found' });
  });

  it('changes nothing while the provider is away, and audits the failure', async () => {
    const { id } = await clinic.start();
    for (let i = 0; i < 3; i++) clinic.server.fail({ on: 'api', status: 500 });
    expect(await failure(clinic.recordings.stop(id, clinic.doctor))).toMatchObject({ code: 'provider_unavailable' });
    expect(await clinic.get(id)).toMatchObject({ state: 'recording' });
    expect((await clinic.events()).at(-1)).toMatchObject({ action: 'recording.stop', outcome: 'failed' });
  });

  it('does nothing at the provider for a room that has ended', async () => {
    const { id, providerRef } = await clinic.start();
    clinic.server.endRoom(providerRef);
    expect(await clinic.recordings.stop(id, clinic.doctor)).toMatchObject({ state: 'processing' });
  });

  it('is refused to strangers and to the patient', async () => {
    const { id } = await clinic.start();
    for (const ctx of [clinic.stranger, clinic.patient])
      expect(await failure(clinic.recordings.stop(id, ctx))).toMatchObject({ code: 'forbidden' });
  });
});

describe('consent', () => {
  it('keeps the hash of the very text, the server’s time and where it came from', async () => {
    await clinic.consent();
    const [, record] = await clinic.recordings.consent.current('s-1', clinic.doctor);
    expect(record).toMatchObject({
      participant: 'p1',
      decision: 'given',
      textSha256: '237626e87cab00bdbbe0b71da0ec66227967d9b6505b8b70e1b5e1efa001f110',
      at: '2026-11-21T15:00:00.000Z',
      ip: '192.0.2.7',
      location: 'US-GA',
    });
  });

  it('stops the recording when it is withdrawn', async () => {
    const { id } = await clinic.start();
    await clinic.recordings.consent.withdraw({ sessionId: 's-1' }, clinic.patient);
    expect(await clinic.get(id)).toMatchObject({ state: 'processing' });
    expect(clinic.server.outbox.at(-1)?.event).toBe('recording-completed');
    expect((await clinic.events()).map(({ action }) => action)).toContain('consent.withdraw');
    expect(await failure(clinic.recordings.start(startInput(clinic.server.createRoom()), clinic.doctor))).toMatchObject(
      {
        code: 'consent_required',
      },
    );
  });

  it('stands as withdrawn when the provider cannot be told, and a retry stops it', async () => {
    const { id } = await clinic.start();
    for (let i = 0; i < 3; i++) clinic.server.fail({ on: 'api', status: 500 });
    expect(await failure(clinic.recordings.consent.withdraw({ sessionId: 's-1' }, clinic.patient))).toMatchObject({
      code: 'provider_unavailable',
    });
    expect(await clinic.recordings.consent.current('s-1', clinic.patient)).toMatchObject([{ decision: 'withdrawn' }]);
    await clinic.recordings.consent.withdraw({ sessionId: 's-1' }, clinic.patient);
    expect(await clinic.get(id)).toMatchObject({ state: 'processing' });
  });

  it('leaves nothing running when it is withdrawn while the provider is being told to start', async () => {
    await clinic.consent();
    const room = clinic.server.createRoom();
    let once = true;
    const slow = { ...clinic.provider, name: 'twilio' };
    const racing = clinic.another({
      providers: {
        twilio: {
          ...slow,
          start: async (recording) => {
            if (once) await clinic.recordings.consent.withdraw({ sessionId: 's-1' }, clinic.patient);
            once = false;
            await clinic.provider.start(recording);
          },
        },
      },
    });
    expect(await racing.start(startInput(room), clinic.doctor)).toMatchObject({ state: 'processing' });
    const running = clinic.server.outbox.filter(({ event }) => event === 'recording-started').length;
    expect(clinic.server.outbox.filter(({ event }) => event === 'recording-completed')).toHaveLength(running);
  });

  it('is given for another only by staff, and only as heard or on paper', async () => {
    const input = {
      sessionId: 's-1',
      participant: 'p1',
      acknowledgements: acknowledged,
      textVersion: '1',
      text: 'May we?',
      language: 'en',
      method: 'verbal',
    } as const;
    expect(await clinic.recordings.consent.give(input, clinic.doctor)).toMatchObject({ participant: 'p1' });
    expect(await failure(clinic.recordings.consent.give({ ...input, method: 'click' }, clinic.doctor))).toMatchObject({
      code: 'invalid_input',
    });
    expect(
      await failure(clinic.recordings.consent.give({ ...input, participant: 'd1' }, clinic.patient)),
    ).toMatchObject({ code: 'forbidden' });
  });

  it('takes a retry with the same id for the same word, though it is later', async () => {
    const input = {
      id: '019aa7c4-0000-7000-8000-00000000000a',
      sessionId: 's-1',
      acknowledgements: acknowledged,
      textVersion: '1',
      text: 'May we?',
      language: 'en',
      method: 'click',
    } as const;
    const first = await clinic.recordings.consent.give(input, clinic.patient);
    clinic.clock.advance(5000);
    expect(await clinic.recordings.consent.give(input, clinic.patient)).toEqual(first);
    for (const other of [{ text: 'Another?' }, { textVersion: '2' }, { location: 'US-CA' }])
      expect(await failure(clinic.recordings.consent.give({ ...input, ...other }, clinic.patient))).toMatchObject({
        code: 'conflict',
      });
  });

  it('shows a participant its own word only, and answers nothing while the audit log is down', async () => {
    await clinic.consent();
    expect(await clinic.recordings.consent.current('s-1', clinic.patient)).toHaveLength(1);
    clinic.fault = (method) => {
      if (method === 'audit.append') throw down();
    };
    expect(await failure(clinic.recordings.consent.current('s-1', clinic.patient))).toMatchObject({
      code: 'store_unavailable',
    });
  });

  describe('when somebody has taken consent back and is not listed', () => {
    const guest = person('g1', ['patient']);
    const word = {
      sessionId: 's-1',
      acknowledgements: acknowledged,
      textVersion: '2026-01',
      text: 'May we record this visit?',
      language: 'en',
      method: 'click',
    } as const;
    const starting = (more: object = {}) =>
      clinic.recordings.start({ ...startInput(clinic.server.createRoom()), ...more }, clinic.doctor);

    it('is refused, names them, and starts only when the caller answers for it that they are absent', async () => {
      await clinic.consent();
      await clinic.recordings.consent.give(word, guest);
      await clinic.recordings.consent.withdraw({ sessionId: 's-1' }, guest);
      await expect(starting()).rejects.toMatchObject({
        code: 'consent_required',
        detail: { missing: [{ id: 'g1', role: 'guest' }] },
      });
      const { id } = await starting({ absent: ['g1'] });
      const event = (await clinic.events()).find(
        ({ action, target }) => action === 'recording.start' && target?.id === id,
      );
      expect(event?.detail).toMatchObject({ absent: ['g1'] });
    });

    it('is not held up by who has consented and is not listed, unless they take it back before it commits', async () => {
      await clinic.consent();
      await clinic.recordings.consent.give(word, guest);
      const racing = clinic.another({
        stores: {
          ...clinic.stores,
          recordings: {
            ...clinic.stores.recordings,
            start: async (...given) => {
              await clinic.recordings.consent.withdraw({ sessionId: 's-1' }, guest);
              return clinic.stores.recordings.start(...given);
            },
          },
        },
      });
      const refused = racing.start(startInput(clinic.server.createRoom()), clinic.doctor);
      await expect(refused).rejects.toMatchObject({ code: 'consent_required' });
      await clinic.recordings.consent.give(word, guest);
      expect((await starting()).state).toBe('recording');
    });

    it('refuses one who takes part and is said to be absent', async () => {
      await expect(starting({ absent: ['d1'] })).rejects.toMatchObject({ code: 'invalid_input' });
    });
  });
});
