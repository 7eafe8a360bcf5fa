import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Appointment, agreed, openTestStage, pglite, postgres, type TestStage } from './test-stage.ts';

describe.each([pglite, postgres])('what is not one’s own, on $name', (backend) => {
  let stage: TestStage;
  let appointment: Appointment;
  let id: string;
  beforeAll(async () => {
    stage = await openTestStage(backend);
    appointment = stage.appointment();
    id = await stage.begin(appointment);
    await stage.finish(appointment);
  });
  afterAll(() => stage.close());

  const ways = (recording: string) =>
    [
      ['GET', `/recordings/${recording}`],
      ['GET', `/recordings/${recording}/playback`],
      ['GET', `/recordings/${recording}/download`],
      ['POST', `/recordings/${recording}/stop`],
      ['POST', `/recordings/${recording}/retry`],
    ] as const;

  it('answers 404 for a recording that does not exist', async () => {
    for (const [method, path] of ways('019aa7c4-0000-7000-8000-000000000000'))
      expect([path, (await stage.client.call(method, path, { as: stage.people.provider })).status]).toEqual([
        path,
        404,
      ]);
  });

  it('answers 422 for an id that is none', async () => {
    expect((await stage.client.call('GET', "/recordings/1'%20OR%20'1'='1", { as: stage.people.provider })).status).toBe(
      422,
    );
  });

  it('refuses a provider who took no part, and writes it down', async () => {
    const { client, people } = stage;
    for (const [method, path] of ways(id)) {
      const answer = await client.call(method, path, { as: people.stranger });
      expect([path, answer.status, answer.field('url')]).toEqual([path, 403, undefined]);
    }
    const denied = await client.call('POST', '/audit/events/search', {
      as: people.auditor,
      body: { actor: people.stranger.id, outcome: 'denied', targetId: id },
    });
    const actions = (denied.field('events') as { action: string }[]).map(({ action }) => action); // the shape of the answer
    expect(actions).toEqual(expect.arrayContaining(['recording.view', 'recording.download', 'recording.stop']));
  });

  it('shows another tenant nothing at all, whatever its roles', async () => {
    const { client, people } = stage;
    for (const [method, path] of ways(id))
      expect([path, (await client.call(method, path, { as: people.outsider })).status]).toEqual([path, 404]);
    const removal = await client.call('DELETE', `/recordings/${id}`, { as: people.outsider, body: { reason: 'mine' } });
    const hold = await client.call('POST', `/recordings/${id}/holds`, {
      as: people.outsider,
      body: { matter: 'x', reason: 'x' },
    });
    const start = await client.call('POST', `/visits/${appointment.visit.id}/recording`, { as: people.outsider });
    expect([removal.status, hold.status, start.status]).toEqual([404, 404, 404]);
    const list = await client.call('POST', '/recordings/search', { as: people.outsider, body: {} });
    expect(list.field('recordings.0')).toBeUndefined();
    const log = await client.call('POST', '/audit/events/search', {
      as: people.outsider,
      body: { patient: appointment.patient.id },
    });
    expect(log.field('events.0')).toBeUndefined();
    expect((await client.call('GET', `/recordings/${id}`, { as: appointment.provider })).field('holds')).toBe(0);
  });

  it('lists only what the caller took part in', async () => {
    const { client, people } = stage;
    const mine = await client.call('GET', '/recordings', { as: appointment.patient });
    expect(mine.field('recordings.0.id')).toBe(id);
    expect((await client.call('GET', '/recordings', { as: people.stranger })).field('recordings.0')).toBeUndefined();
    expect(
      (await client.call('POST', '/recordings/search', { as: people.officer, body: { state: 'available' } })).field(
        'recordings.0.id',
      ),
    ).toBe(id);
  });

  it('takes no consent of someone outside the visit', async () => {
    const path = `/visits/${appointment.visit.id}/consent`;
    expect((await stage.client.call('POST', path, { as: stage.people.stranger, body: agreed })).status).toBe(403);
  });

  it('lets nobody outside the visit stop its recording by a withdrawal, nor hold up the next one', async () => {
    const { client, people } = stage;
    const running = stage.appointment();
    const recording = await stage.begin(running);
    const path = `/visits/${running.visit.id}/consent`;
    expect((await client.call('DELETE', path, { as: people.stranger })).status).toBe(403);
    const row = await client.call('GET', `/recordings/${recording}`, { as: running.provider });
    expect(row.field('state')).toBe('recording');
  });

  it('takes no fact about a patient from a provider who does not treat them', async () => {
    const answer = await stage.client.call('POST', '/facts', {
      as: stage.people.stranger,
      body: { patient: appointment.patient.id, type: 'treatment', date: '2026-11-23', zone: 'America/New_York' },
    });
    expect([answer.status, answer.field('code')]).toEqual([403, 'forbidden']);
  });

  it('lets nobody of another practice at what concerns the whole installation', async () => {
    const { client, people } = stage;
    const scheduler = { id: 'their-scheduler', tenant: 'lakeside', roles: ['scheduler', 'auditor'] };
    for (const path of ['/audit/verify', '/jobs/seal'])
      for (const person of [people.outsider, scheduler, people.provider])
        expect([path, person.id, (await client.call('POST', path, { as: person })).status]).toEqual([
          path,
          person.id,
          403,
        ]);
    // Its jobs are its own.
    const swept = await client.call('POST', '/jobs/sweep', { as: scheduler });
    expect([swept.status, swept.field('deleted')]).toEqual([200, []]);
    const verdict = await client.call('POST', '/audit/verify', { as: people.auditor });
    expect(verdict.field('ok')).toBe(true);
    const log = await client.call('POST', '/audit/events/search', {
      as: people.auditor,
      body: { action: ['audit.verify', 'job.report'], outcome: ['success', 'failed'] },
    });
    expect([log.field('events.0.action'), log.field('events.0.detail.ok')]).toEqual(['audit.verify', true]);
  });

  it('gives patients the report of who saw their record, and nobody else’s', async () => {
    const { client } = stage;
    const { patient } = appointment;
    const own = await client.call('POST', '/access-reports', { as: patient, body: { patient: patient.id } });
    expect(own.status).toBe(200);
    expect(new TextDecoder().decode(own.bytes)).toContain(appointment.provider.id);
    const other = await client.call('POST', '/access-reports', { as: patient, body: { patient: 'patient-2' } });
    expect(other.status).toBe(403);
  });

  it('answers a problem document to an unknown route, and 405 to another method', async () => {
    const nowhere = await stage.client.call('GET', '/nowhere');
    expect([nowhere.status, nowhere.field('code')]).toEqual([404, 'not_found']);
    expect(nowhere.headers.get('content-type')).toContain('application/problem+json');
    expect(nowhere.headers.get('x-content-type-options')).toBe('nosniff');
    expect((await stage.client.call('PUT', '/recordings')).status).toBe(405);
  });
});
