import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { patientBirth } from './seed.ts';
import { type Backend, openTestStage, pglite, postgres, type TestStage } from './test-stage.ts';

const hourMs = 3_600_000;

async function due(backend: Backend): Promise<{ stage: Awaited<ReturnType<typeof openTestStage>>; id: string }> {
  const stage = await openTestStage(backend);
  const appointment = stage.appointment();
  const id = await stage.begin(appointment);
  await stage.finish(appointment);
  await stage.client.call('POST', '/facts', {
    as: appointment.provider,
    body: { patient: appointment.patient.id, type: 'birth', ...patientBirth },
  });
  await sweep(stage);
  for (const step of ['retainUntil', 'warnAt']) {
    await stage.moveTo(new Date((await status(stage, id)).text(`retention.${step}`)));
    await sweep(stage);
  }
  // An hour more: the clock ran on before the warning, and the notice runs from it.
  await stage.moveTo(new Date(Date.parse((await status(stage, id)).text('retention.graceUntil')) + 3_600_000));
  return { stage, id };
}

const sweep = (stage: TestStage) => stage.client.call('POST', '/jobs/sweep', { as: stage.people.scheduler });
const status = (stage: TestStage, id: string) =>
  stage.client.call('GET', `/recordings/${id}`, { as: stage.people.officer });
const versions = async (stage: TestStage, id: string) =>
  (await stage.objects.listVersions('')).versions.filter(({ key }) => key.includes(id));
const tombstones = (stage: TestStage, id: string) =>
  stage.sql(
    "SELECT FROM medzen.audit_event WHERE target_id = $1 AND action = 'recording.delete' AND outcome = 'success'",
    [id],
  );

describe('a sweep that is killed between the deletion of the bytes and the tombstone', { timeout: 120_000 }, () => {
  it('is finished by the next one, once', async () => {
    const { stage, id } = await due(postgres);
    const child = spawn(process.execPath, [fileURLToPath(new URL('./sweep-and-die.ts', import.meta.url))], {
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: stage.url,
        DIR: stage.dir,
        NOW: stage.clock.now().toISOString(),
        TWILIO_API_URL: stage.twilio.url,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
      child.on('exit', (...how) => resolve(how)),
    );
    expect([code, signal, said]).toEqual([null, 'SIGKILL', '']);
    expect(await versions(stage, id)).toHaveLength(0);
    expect((await status(stage, id)).field('state')).toBe('deleting');
    expect(await tombstones(stage, id)).toHaveLength(0);
    const held = await stage.client.call('POST', `/recordings/${id}/holds`, {
      as: stage.people.officer,
      body: { matter: 'too late', reason: 'came after' },
    });
    expect([held.status, held.field('code')]).toEqual([409, 'too_late']);

    await sweep(stage);
    expect((await status(stage, id)).field('state')).toBe('deleting'); // the dead one's lease still stands
    await stage.moveTo(new Date(stage.clock.now().getTime() + hourMs));
    expect((await sweep(stage)).field('deleted')).toEqual([id]);
    expect((await status(stage, id)).field('state')).toBe('deleted');
    expect(await tombstones(stage, id)).toHaveLength(1);
    await stage.close();
  });
});

describe.each([pglite, postgres])(
  'a sweep whose tombstone is not written, on $name',
  { timeout: 120_000 },
  (backend) => {
    it.each(['before', 'after'] as const)('converges when the store fails %s writing it', async (moment) => {
      const { stage, id } = await due(backend);
      stage.faults.recordings.finishDeletion = (call) => (call === 1 ? moment : undefined);
      expect((await sweep(stage)).status).toBe(200);
      expect(await versions(stage, id)).toHaveLength(0);
      await stage.moveTo(new Date(stage.clock.now().getTime() + hourMs));
      await sweep(stage);
      expect((await status(stage, id)).field('state')).toBe('deleted');
      expect(await tombstones(stage, id)).toHaveLength(1);
      await stage.close();
    });
  },
);
