import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { agreed, openTestStage, pglite, postgres, type TestStage } from './test-stage.ts';

const hourMs = 3_600_000;

describe.each([pglite, postgres])('outages, on $name', (backend) => {
  let stage: TestStage;
  beforeAll(async () => {
    stage = await openTestStage(backend);
  });
  afterAll(() => stage.close());
  afterEach(() => {
    for (const plan of Object.values(stage.faults))
      for (const method of Object.keys(plan)) Reflect.deleteProperty(plan, method);
  });

  const row = async (id: string) =>
    (await stage.sql('SELECT state, revision::text, views::text FROM medzen.recording WHERE id = $1', [id]))[0];
  const eventsOf = async (id: string) =>
    (await stage.sql('SELECT FROM medzen.audit_event WHERE target_id = $1', [id])).length;

  it('gives no link when the access cannot be written down', async () => {
    const appointment = stage.appointment();
    const id = await stage.begin(appointment);
    await stage.finish(appointment);
    const before = await row(id);
    stage.faults.recordings.noteAccess = 'before';
    for (const way of ['playback', 'download']) {
      const answer = await stage.client.call('GET', `/recordings/${id}/${way}`, { as: appointment.patient });
      expect([answer.status, answer.field('code'), answer.field('url')]).toEqual([503, 'store_unavailable', undefined]);
    }
    expect(await row(id)).toEqual(before);
  });

  it('shows no recording and no log when the look cannot be written down', async () => {
    const appointment = stage.appointment();
    const id = await stage.begin(appointment);
    stage.faults.audit.append = 'before';
    const status = await stage.client.call('GET', `/recordings/${id}`, { as: appointment.patient });
    expect([status.status, status.field('id')]).toEqual([503, undefined]);
    const log = await stage.client.call('POST', '/audit/events/search', { as: stage.people.auditor, body: {} });
    expect([log.status, log.field('events')]).toEqual([503, undefined]);
  });

  it('refuses all the same when the refusal cannot be written down', async () => {
    const appointment = stage.appointment();
    const id = await stage.begin(appointment);
    stage.faults.audit.append = 'before';
    const answer = await stage.client.call('GET', `/recordings/${id}/playback`, { as: stage.people.stranger });
    expect(answer.status).toBeGreaterThanOrEqual(403);
    expect(answer.field('url')).toBeUndefined();
    expect((await stage.client.call('GET', '/recordings')).status).toBe(401);
  });

  it('starts nothing, here or at the provider, when the start cannot be written down', async () => {
    const { visit, patient, provider } = stage.appointment();
    for (const as of [patient, provider])
      await stage.client.call('POST', `/visits/${visit.id}/consent`, { as, body: agreed });
    const asked = stage.twilio.log.length;
    stage.faults.recordings.start = 'before';
    const answer = await stage.client.call('POST', `/visits/${visit.id}/recording`, { as: provider });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([503, 'application/problem+json']);
    expect(await stage.sql('SELECT FROM medzen.recording WHERE session_id = $1', [visit.id])).toHaveLength(0);
    expect(stage.twilio.log).toHaveLength(asked);
  });

  it('changes no state when the change cannot be written down', async () => {
    const appointment = stage.appointment();
    const id = await stage.begin(appointment);
    const before = await row(id);
    const events = await eventsOf(id);
    stage.faults.recordings.change = 'before';
    expect((await stage.client.call('POST', `/recordings/${id}/stop`, { as: appointment.provider })).status).toBe(503);
    stage.twilio.endRoom(appointment.visit.roomSid);
    for (const answer of await stage.deliverAll()) expect(answer.status).toBe(503);
    expect(await row(id)).toEqual(before);
    expect(await eventsOf(id)).toBe(events);
  });

  it.each(['before', 'after'] as const)(
    'makes nothing half available when the object store fails %s storing',
    async (moment) => {
      const appointment = stage.appointment();
      const id = await stage.begin(appointment);
      stage.faults.objects.put = moment;
      await stage.finish(appointment);
      expect((await row(id))?.state).toBe('uploading');
      const early = await stage.client.call('GET', `/recordings/${id}/playback`, { as: appointment.patient });
      expect([early.status, early.field('url')]).toEqual([409, undefined]);
      delete stage.faults.objects.put;
      await stage.moveTo(new Date(stage.clock.now().getTime() + hourMs));
      const report = await stage.client.call('POST', '/jobs/transfer', { as: stage.people.scheduler });
      expect(report.field('available')).toContain(id);
      const kept = (await stage.objects.listVersions('')).versions.filter(({ key }) => key.includes(id));
      expect(kept).toHaveLength(1);
    },
  );

  it('makes nothing half available when the provider hangs up in the middle', async () => {
    const appointment = stage.appointment();
    const id = await stage.begin(appointment);
    stage.twilio.fail({ on: 'media', cutAfter: 20_000 });
    await stage.finish(appointment);
    expect((await row(id))?.state).toBe('uploading');
    expect((await stage.objects.listVersions('')).versions.filter(({ key }) => key.includes(id))).toHaveLength(0);
    await stage.moveTo(new Date(stage.clock.now().getTime() + hourMs));
    await stage.client.call('POST', '/jobs/transfer', { as: stage.people.scheduler });
    expect((await row(id))?.state).toBe('available');
  });
});

describe.each([pglite, postgres])('a database that is not there, on $name', (backend) => {
  it('answers 503 without a word of what is below', async () => {
    const stage = await openTestStage(backend);
    const appointment = stage.appointment();
    const id = await stage.begin(appointment);
    await stage.closeDatabase();
    for (const [method, path] of [
      ['GET', '/recordings'],
      ['GET', `/recordings/${id}/playback`],
      ['POST', `/visits/${appointment.visit.id}/recording`],
    ] as const) {
      const answer = await stage.client.call(method, path, { as: appointment.provider });
      expect([path, answer.status, answer.field('code')]).toEqual([path, 503, 'store_unavailable']);
      expect(new TextDecoder().decode(answer.bytes)).not.toMatch(/pool|postgres|pglite|ECONN|database/i);
    }
    await stage.close();
  });

  it('answers nothing while the migrations are missing; the operator is told which', async () => {
    const stage = await openTestStage(backend, { install: false });
    const answer = await stage.client.call('GET', '/recordings', { as: stage.people.provider });
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(answer.field('recordings')).toBeUndefined();
    await expect(stage.stores.recordings.list({ tenant: 'peachtree' }, {})).rejects.toMatchObject({
      code: 'migration_missing',
      message: expect.stringContaining('000001_foundation'),
    });
    await stage.close();
  });
});
