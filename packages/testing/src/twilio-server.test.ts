import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTwilioServer, type TwilioServer } from './twilio-server.ts';

let server: TwilioServer;
beforeEach(async () => {
  server = await startTwilioServer();
});
afterEach(() => server.close());

function ask(method: string, path: string, form?: Record<string, string>, headers: Record<string, string> = {}) {
  return fetch(server.url + path, {
    method,
    redirect: 'manual',
    headers: { authorization: `Basic ${btoa(`${server.accountSid}:${server.authToken}`)}`, ...headers },
    ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
  });
}
const include = { Rules: '[{"type":"include","all":true}]' };

describe('the stand-in for Twilio', () => {
  it('answers nobody without its credentials', async () => {
    expect((await fetch(`${server.url}/v1/Rooms/RM1`)).status).toBe(401);
    expect((await ask('GET', '/v1/Rooms/RM1', undefined, { authorization: 'Basic YTpi' })).status).toBe(401);
  });

  it('takes forms, not JSON, and only rules it knows', async () => {
    const path = `/v1/Rooms/${server.createRoom()}/RecordingRules`;
    const json = await fetch(server.url + path, {
      method: 'POST',
      headers: {
        authorization: `Basic ${btoa(`${server.accountSid}:${server.authToken}`)}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify(include),
    });
    expect(json.status).toBe(415);
    for (const Rules of ['', '{}', '[]', '[{"type":"include"}]', '[{"type":"record","all":true}]'])
      expect((await ask('POST', path, { Rules })).status).toBe(400);
    expect((await ask('POST', path, include)).status).toBe(202);
  });

  it('composes a room only after its end, and only if something was recorded', async () => {
    const [empty, room] = [server.createRoom(), server.createRoom()];
    await ask('POST', `/v1/Rooms/${room}/RecordingRules`, include);
    const compose = async (RoomSid: string) =>
      (await ask('POST', '/v1/Compositions', { RoomSid, AudioSources: '*' })).status;
    expect(await compose(room)).toBe(400);
    server.endRoom(room);
    server.endRoom(empty);
    expect([await compose(room), await compose(empty), await compose('RMnone')]).toEqual([201, 400, 400]);
  });

  it('redirects for media to another host, which refuses credentials and tickets it did not give', async () => {
    const room = server.createRoom();
    await ask('POST', `/v1/Rooms/${room}/RecordingRules`, include);
    server.endRoom(room);
    await ask('POST', '/v1/Compositions', { RoomSid: room, AudioSources: '*' });
    const [sid = ''] = server.finishCompositions(room);
    const answer = await ask('GET', `/v1/Compositions/${sid}/Media?Ttl=60`);
    const location = answer.headers.get('location') ?? '';
    expect([answer.status, location.startsWith(server.mediaUrl)]).toEqual([302, true]);
    expect(((await answer.json()) as { redirect_to: string }).redirect_to).toBe(location);
    expect((await fetch(location)).status).toBe(200);
    expect((await fetch(location, { headers: { authorization: 'Basic YTpi' } })).status).toBe(400);
    expect((await fetch(`${server.mediaUrl}/${sid}?ticket=guess`)).status).toBe(403);
    expect((await ask('DELETE', `/v1/Compositions/${sid}`)).status).toBe(204);
    expect((await ask('DELETE', `/v1/Compositions/${sid}`)).status).toBe(404);
    expect((await fetch(location)).status).toBe(404);
  });

  it('signs callbacks as Twilio’s documentation says', () => {
    const { url, body, headers } = server.callback('room-ended', { RoomSid: 'RM1' });
    const form = Object.entries(Object.fromEntries(new URLSearchParams(body))).sort(([a], [b]) => (a < b ? -1 : 1));
    const text = url + form.map(([name, value]) => name + value).join('');
    expect(headers['x-twilio-signature']).toBe(createHmac('sha1', server.authToken).update(text).digest('base64'));
    expect(server.forged('room-ended', { RoomSid: 'RM1' }).headers['x-twilio-signature']).not.toBe(
      headers['x-twilio-signature'],
    );
  });

  it('says what it would have called back, in order', async () => {
    const room = server.createRoom();
    await ask('POST', `/v1/Rooms/${room}/RecordingRules`, include);
    await ask('POST', `/v1/Rooms/${room}`, { Status: 'completed' });
    await ask('POST', '/v1/Compositions', {
      RoomSid: room,
      AudioSources: '*',
      StatusCallback: 'http://127.0.0.1/hook',
    });
    server.finishCompositions(room, 'failed');
    expect(server.outbox.map(({ event }) => event)).toEqual([
      'recording-started',
      'recording-started',
      'recording-completed',
      'recording-completed',
      'room-ended',
      'composition-started',
      'composition-progress',
      'composition-failed',
    ]);
  });
});
