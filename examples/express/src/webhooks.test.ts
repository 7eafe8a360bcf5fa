import type { TwilioCallback } from '@medzen/testing/twilio-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestStage, pglite, postgres, type TestStage } from './test-stage.ts';

describe.each([pglite, postgres])('callbacks of Twilio, on $name', (backend) => {
  let stage: TestStage;
  beforeAll(async () => {
    stage = await openTestStage(backend);
  });
  afterAll(() => stage.close());

  const post = ({ url, headers, body }: TwilioCallback) => stage.client.send(url, { method: 'POST', headers, body });
  const state = async (id: string) =>
    (await stage.client.call('GET', `/recordings/${id}`, { as: stage.people.officer })).field('state');
  const events = async (id: string) =>
    stage.sql("SELECT FROM medzen.audit_event WHERE target_id = $1 AND action <> 'recording.status'", [id]);

  it('refuses forged ones, changes nothing, and writes it down', async () => {
    const appointment = stage.appointment();
    const id = await stage.begin(appointment);
    const before = await events(id);
    const fields = { RoomSid: appointment.visit.roomSid, CompositionSid: `CJ${'a'.repeat(32)}`, Size: '1' };
    const good = stage.twilio.callback('composition-available', fields);
    const attempts: readonly TwilioCallback[] = [
      stage.twilio.forged('composition-available', fields),
      { ...good, body: good.body.replace('Size=1', 'Size=2') },
      { ...good, url: good.url.replace('tenant=peachtree', 'tenant=lakeside') },
      { ...good, headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    ];
    for (const attempt of attempts) expect((await post(attempt)).status).toBe(401);
    expect(await state(id)).toBe('recording');
    expect(await events(id)).toHaveLength(before.length);
    const log = await stage.client.call('POST', '/audit/events/search', {
      as: stage.people.auditor,
      body: { action: 'webhook.reject' },
    });
    expect(log.field('events.0.outcome')).toBe('denied');
  });

  it('takes a replayed one once', async () => {
    const appointment = stage.appointment();
    const id = await stage.begin(appointment);
    stage.twilio.endRoom(appointment.visit.roomSid);
    await stage.deliverAll();
    stage.twilio.finishCompositions(appointment.visit.roomSid);
    const all = stage.twilio.outbox.splice(0);
    for (const callback of all) await post(callback);
    await stage.app.services.background.settled();
    expect(await state(id)).toBe('available');
    const before = await events(id);
    for (const callback of all) expect((await post(callback)).field('results.0')).toBe('repeated');
    expect(await events(id)).toHaveLength(before.length);
    expect(await state(id)).toBe('available');
  });

  it('ends in the same state when they come in reverse', async () => {
    const appointment = stage.appointment();
    const id = await stage.begin(appointment);
    stage.twilio.endRoom(appointment.visit.roomSid);
    // Only the end of the room makes the app ask for a composition; everything else comes after it, last things first.
    const early = stage.twilio.outbox.splice(0);
    for (const callback of early.filter(({ event }) => event === 'room-ended')) await post(callback);
    stage.twilio.finishCompositions(appointment.visit.roomSid);
    const rest = [...early.filter(({ event }) => event !== 'room-ended'), ...stage.twilio.outbox.splice(0)];
    expect(rest.length).toBeGreaterThan(5);
    for (const callback of rest.reverse()) expect((await post(callback)).status).toBe(200);
    await stage.app.services.background.settled();
    expect(await state(id)).toBe('available');
  });

  it('moves nothing for a room that nobody records, nor for a tenant that has none', async () => {
    const nobody = stage.twilio.callback('recording-started', {
      RoomSid: `RM${'0'.repeat(32)}`,
      RecordingSid: `RT${'0'.repeat(32)}`,
    });
    expect((await post(nobody)).field('results.0')).toBe('unknown');
  });

  it('answers 422 to what is signed and yet no callback', async () => {
    expect((await post(stage.twilio.callback('', {}))).status).toBe(422);
  });
});
