import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Clinic, openClinic } from '../../test/clinic.ts';
import type { AccessRequestInput } from '../recordings.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
});
afterEach(() => clinic.close());

const daysAfter = (from: string, days: number): string => new Date(Date.parse(from) + days * 86_400_000).toISOString();

describe('an access request', () => {
  test('is due thirty days after it was received, for the person who asked', async () => {
    const { id } = await clinic.available();
    const receivedAt = '2026-11-10T09:00:00.000Z';
    const input: AccessRequestInput = { target: { recordingId: id }, requestedBy: 'guardian-1', receivedAt };
    const opened = await clinic.recordings.accessRequests.open(input, clinic.doctor);
    expect(opened).toMatchObject({ requestedBy: 'guardian-1', receivedAt, openedBy: 'd1', tooLate: [] });
    expect(opened.dueAt).toBe(daysAfter(receivedAt, 30));
    const listed = await clinic.recordings.accessRequests.list({ recordingId: id }, clinic.admin);
    expect(listed.requests).toMatchObject([{ id: opened.id, requestedBy: 'guardian-1', receivedAt }]);
  });

  test("counts from now, and is the caller's own, when nothing else is said", async () => {
    const { id } = await clinic.available();
    const now = clinic.clock.now().toISOString();
    const opened = await clinic.recordings.accessRequests.open({ target: { recordingId: id } }, clinic.patient);
    expect(opened).toMatchObject({ requestedBy: 'p1', receivedAt: now, dueAt: daysAfter(now, 30) });
  });

  test.each(['2026-11-22T00:00:00Z', '2016-01-01T00:00:00Z', '2026-11-10', 'yesterday'])(
    'received at %s is refused',
    async (receivedAt) => {
      const input: AccessRequestInput = { target: { patient: 'p1' }, receivedAt };
      await expect(clinic.recordings.accessRequests.open(input, clinic.doctor)).rejects.toMatchObject({
        code: 'invalid_input',
        pointers: ['/receivedAt'],
      });
    },
  );

  test('of a stranger is refused, and the refusal is in the log', async () => {
    const { id } = await clinic.available();
    const stranger = { ...clinic.stranger, actor: { ...clinic.stranger.actor, roles: ['patient'] } };
    const refused = clinic.recordings.accessRequests.open({ target: { recordingId: id } }, stranger);
    await expect(refused).rejects.toMatchObject({ code: 'forbidden' });
    const [last] = (await clinic.events()).slice(-1);
    expect(last).toMatchObject({ action: 'access_request.open', outcome: 'denied', actor: { id: 's1' } });
  });
});
