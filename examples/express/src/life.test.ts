import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { patientBirth } from './seed.ts';
import { type Appointment, openTestStage, pglite, postgres, type TestStage } from './test-stage.ts';

const dayMs = 86_400_000;

describe.each([pglite, postgres])('the life of a recording, on $name', (backend) => {
  let stage: TestStage;
  beforeAll(async () => {
    stage = await openTestStage(backend);
  });
  afterAll(() => stage.close());

  const status = (id: string) => stage.client.call('GET', `/recordings/${id}`, { as: stage.people.officer });
  const sweep = () => stage.client.call('POST', '/jobs/sweep', { as: stage.people.scheduler });
  /** A recording of an adult, available, whose grace ends at the instant that is returned. */
  const kept = async (appointment: Appointment): Promise<{ readonly id: string; readonly graceUntil: Date }> => {
    const id = await stage.begin(appointment);
    await stage.finish(appointment);
    const fact = await stage.client.call('POST', '/facts', {
      as: appointment.provider,
      body: { patient: appointment.patient.id, type: 'birth', ...patientBirth },
    });
    expect(fact.status).toBe(201);
    await sweep();
    return { id, graceUntil: new Date((await status(id)).text('retention.graceUntil')) };
  };

  it('begins once, however often and however at once it is started', async () => {
    const { client } = stage;
    const appointment = stage.appointment();
    await stage.begin(appointment);
    const path = `/visits/${appointment.visit.id}/recording`;
    expect((await client.call('POST', path, { as: appointment.provider })).status).toBe(409);
    const other = stage.appointment();
    const ready = async () => {
      for (const as of [other.patient, other.provider])
        await client.call('POST', `/visits/${other.visit.id}/consent`, {
          as,
          body: {
            acknowledgements: { recording: true, storage: true, access: true, retention: true },
            textVersion: '2026-11',
          },
        });
    };
    await ready();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () =>
        client.call('POST', `/visits/${other.visit.id}/recording`, { as: other.provider }),
      ),
    );
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409, 409, 409, 409]);
    expect(await stage.sql('SELECT FROM medzen.recording WHERE session_id = $1', [other.visit.id])).toHaveLength(1);
  });

  it('cannot be stopped before it began, and stops once', async () => {
    const { client, people } = stage;
    const appointment = stage.appointment();
    const before = await client.call('POST', '/recordings/019aa7c4-0000-7000-8000-000000000001/stop', {
      as: people.provider,
    });
    expect([before.status, before.field('code')]).toEqual([404, 'not_found']);
    const id = await stage.begin(appointment);
    for (let i = 0; i < 2; i++)
      expect((await client.call('POST', `/recordings/${id}/stop`, { as: appointment.provider })).field('state')).toBe(
        'processing',
      );
    const stops = await client.call('POST', '/audit/events/search', {
      as: people.auditor,
      body: { action: 'recording.stop', targetId: id },
    });
    expect(stops.field('events')).toHaveLength(1);
  });

  it('cannot be watched before its media is there', async () => {
    const appointment = stage.appointment();
    const id = await stage.begin(appointment);
    const answer = await stage.client.call('GET', `/recordings/${id}/playback`, { as: appointment.patient });
    expect([answer.status, answer.field('code'), answer.field('url')]).toEqual([409, 'not_available', undefined]);
  });

  it('stops when a participant withdraws', async () => {
    const appointment = stage.appointment();
    const id = await stage.begin(appointment);
    const answer = await stage.client.call('DELETE', `/visits/${appointment.visit.id}/consent`, {
      as: appointment.patient,
    });
    expect([answer.status, answer.field('decision')]).toEqual([200, 'withdrawn']);
    expect((await status(id)).field('state')).toBe('processing');
  });

  it('stops by the job when the withdrawal could not reach it', async () => {
    const appointment = stage.appointment();
    const id = await stage.begin(appointment);
    stage.faults.recordings.list = 'before';
    const answer = await stage.client.call('DELETE', `/visits/${appointment.visit.id}/consent`, {
      as: appointment.patient,
    });
    delete stage.faults.recordings.list;
    expect(answer.status).toBe(503);
    expect((await status(id)).field('state')).toBe('recording');
    const report = await stage.client.call('POST', '/jobs/stop', { as: stage.people.scheduler });
    expect(report.field('stopped')).toEqual([id]);
    expect((await status(id)).field('state')).toBe('processing');
    expect((await stage.client.call('POST', '/jobs/stop', { as: appointment.provider })).status).toBe(403);
  });

  it('is not deleted by a person before its time, nor under a hold, nor by anyone without the role', async () => {
    const { client, people } = stage;
    const { id, graceUntil } = await kept(stage.appointment());
    const remove = (as = people.officer) =>
      client.call('DELETE', `/recordings/${id}`, { as, body: { reason: 'tidying up' } });
    const early = await remove();
    expect([early.status, early.field('code')]).toEqual([409, 'retention_active']);
    expect(early.text('facts.graceUntil')).toBe(graceUntil.toISOString());
    expect((await remove(people.provider)).status).toBe(403);
    await stage.moveTo(new Date(graceUntil.getTime() - 30 * dayMs));
    await sweep();
    const place = await client.call('POST', `/recordings/${id}/holds`, {
      as: people.officer,
      body: { matter: '2034-CV-118', reason: 'letter from counsel' },
    });
    await stage.moveTo(new Date(graceUntil.getTime() + dayMs));
    const held = await remove();
    expect([held.status, held.field('code')]).toEqual([409, 'held']);
    expect((await sweep()).field('deleted')).not.toContain(id);
    expect((await status(id)).field('state')).not.toBe('deleted');
    await client.call('DELETE', `/holds/${place.text('id')}`, { as: people.officer });
    await sweep();
    expect((await status(id)).field('state')).toBe('deleted');
    expect((await remove()).status).toBe(410);
  });

  it('explains why it is kept, corrects a mistaken fact, and keeps one recording longer', async () => {
    const { client, people } = stage;
    const appointment = stage.appointment();
    const { id, graceUntil } = await kept(appointment);
    const explain = (as = people.officer) => client.call('GET', `/recordings/${id}/retention`, { as });
    const before = await explain();
    expect([before.status, before.text('rules.0.ruleId')]).toEqual([200, 'us-ga-psychologist']);
    expect(before.text('dates.graceUntil')).toBe(graceUntil.toISOString());
    expect((await explain(people.provider)).status).toBe(403);
    const birth = before.field('facts.used.1.id');
    const correct = (as = people.officer) =>
      client.call('POST', '/facts/corrections', {
        as,
        body: {
          patient: appointment.patient.id,
          voids: birth,
          reason: 'the year of the visit was typed',
          type: 'birth',
          date: '1979-05-01',
          zone: 'America/New_York',
        },
      });
    expect((await correct(people.provider)).status).toBe(403);
    expect((await correct()).status).toBe(201);
    expect((await correct()).field('code')).toBe('conflict');
    const after = await explain();
    expect(after.field('facts.voided.0.fact.id')).toBe(birth);
    const until = new Date(graceUntil.getTime() + 1000 * dayMs).toISOString();
    const keep = await client.call('PUT', `/recordings/${id}/keep-until`, {
      as: people.officer,
      body: { until, reason: 'a complaint to the board' },
    });
    expect([keep.status, keep.text('keepUntil.until')]).toEqual([200, until]);
    await sweep();
    expect((await explain()).text('dates.retainUntil') > until).toBe(true);
    const far = { type: 'treatment', date: '9999-12-31', zone: 'America/New_York' };
    const fact = await client.call('POST', '/facts', {
      as: appointment.provider,
      body: { patient: appointment.patient.id, ...far },
    });
    expect([fact.status, fact.field('code')]).toEqual([422, 'invalid_input']);
  });

  it('lists the holds that stand, to those who manage them', async () => {
    const { client, people } = stage;
    const { id } = await kept(stage.appointment());
    const matter = `2034-CV-${id.slice(0, 8)}`;
    const placed = await client.call('POST', `/recordings/${id}/holds`, {
      as: people.officer,
      body: { matter, reason: 'counsel' },
    });
    expect(placed.status).toBe(201);
    const search = (as = people.officer) =>
      client.call('POST', '/holds/search', { as, body: { active: true, matter } });
    const found = await search();
    expect([found.status, found.field('holds.0.target.recordingId')]).toEqual([200, id]);
    expect((await search(people.provider)).status).toBe(403);
  });

  it('gets one tombstone from two sweeps at once', async () => {
    const { client, people } = stage;
    const { id, graceUntil } = await kept(stage.appointment());
    await stage.moveTo(new Date(graceUntil.getTime() - 30 * dayMs));
    await sweep();
    expect((await status(id)).field('state')).toBe('archived');
    await stage.moveTo(new Date(graceUntil.getTime() + dayMs));
    const reports = await Promise.all([sweep(), sweep(), sweep()]);
    expect(reports.flatMap((report) => report.field('deleted')).filter((one) => one === id)).toHaveLength(1);
    expect((await status(id)).field('tombstone.versionsDeleted')).toBe(1);
    const deletions = await client.call('POST', '/audit/events/search', {
      as: people.auditor,
      body: { action: 'recording.delete', targetId: id },
    });
    expect(deletions.field('events')).toHaveLength(1);
    expect((await stage.objects.listVersions('')).versions.filter(({ key }) => key.includes(id))).toHaveLength(0);
  });
});
