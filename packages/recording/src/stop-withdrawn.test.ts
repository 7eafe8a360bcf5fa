import { MedzenError, type Recording, sealEvent } from '@medzen/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, down, openClinic, startInput } from '../test/clinic.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
});
afterEach(() => clinic.close());

const minute = 60_000;
const none = { stopped: [], ended: [], retrying: [] };

/** What `medzen_api.withdraw_consent` does, and all that it does: it cannot reach a provider. */
async function withdrawnInSql(sessionId = 's-1'): Promise<void> {
  clinic.fault = (method, when) => {
    if (method === 'recordings.list' && when === 'before') throw down();
  };
  await expect(clinic.recordings.consent.withdraw({ sessionId, patient: 'p1' }, clinic.patient)).rejects.toThrow();
  clinic.fault = undefined;
}

/** A process that cannot reach the provider. */
const cutOff = () =>
  clinic.another({
    providers: {
      twilio: {
        ...clinic.provider,
        stop: () => Promise.reject(new MedzenError('provider_unavailable', 'Away for the test')),
      },
    },
  });

/** What a failed track does: the room goes on. */
async function fail({ id, revision }: Recording): Promise<void> {
  const at = clinic.clock.now().toISOString();
  const event = sealEvent({
    action: 'recording.failed',
    kind: 'update',
    outcome: 'failed',
    tenant: clinic.scope.tenant,
    actor: { id: 'sweep', type: 'system' },
    source: {},
  });
  const change = {
    expectedRevision: revision,
    to: 'failed',
    at,
    failure: { code: 'failed', at, attempts: 1 },
  } as const;
  await clinic.stores.recordings.change(clinic.scope, id, change, event);
}

const stops = async () => (await clinic.events()).filter(({ action }) => action === 'recording.stop');
/** How often Twilio was told to end the capture of tracks, which it then reports. */
const told = (): number => clinic.server.outbox.filter(({ event }) => event === 'recording-completed').length;

describe('stopWithdrawn', () => {
  it('stops at the provider what somebody has withdrawn consent to, and says why', async () => {
    const { id, sessionId } = await clinic.start();
    expect(await clinic.recordings.stopWithdrawn(clinic.scope)).toEqual(none);
    await withdrawnInSql();
    expect(await clinic.get(id)).toMatchObject({ state: 'recording', stopRequest: { consent: expect.any(String) } });
    expect(await clinic.recordings.stopWithdrawn(clinic.scope)).toEqual({ ...none, stopped: [id] });
    const stopped = await clinic.get(id);
    expect(stopped).toMatchObject({ state: 'processing', endedAt: clinic.clock.now().toISOString() });
    expect(told()).toBeGreaterThan(0);
    expect(await stops()).toMatchObject([
      {
        outcome: 'success',
        actor: { id: 'stop', type: 'system' },
        patient: 'p1',
        target: { id },
        detail: { cause: 'consent_withdrawn', consent: stopped.stopRequest?.consent, from: 'recording' },
      },
    ]);
    const said = await clinic.stores.consents.current(clinic.scope, sessionId);
    expect(said.map((consent) => consent.id)).toContain(stopped.stopRequest?.consent);
    expect(await clinic.recordings.stopWithdrawn(clinic.scope)).toEqual(none);
  });

  it('says the same of a withdrawal that stops it at once', async () => {
    const { id } = await clinic.start();
    await clinic.recordings.consent.withdraw({ sessionId: 's-1', patient: 'p1' }, clinic.patient);
    const { stopRequest } = await clinic.get(id);
    expect(await stops()).toMatchObject([
      { actor: { id: 'p1' }, detail: { cause: 'consent_withdrawn', consent: stopRequest?.consent } },
    ]);
    expect(await clinic.recordings.stopWithdrawn(clinic.scope)).toEqual(none);
  });

  it('stops once when several workers meet', async () => {
    const { id } = await clinic.start();
    await withdrawnInSql();
    const reports = await Promise.all([1, 2, 3].map(() => clinic.another().stopWithdrawn(clinic.scope)));
    expect(reports.flatMap(({ stopped }) => stopped)).toEqual([id]);
    expect(await stops()).toHaveLength(1);
  });

  it('tries again while the provider is away, after five minutes at most, and says so in the log', async () => {
    const { id } = await clinic.start();
    await withdrawnInSql();
    const code = 'provider_unavailable';
    for (const [index, wait] of [1, 4, 5, 5].entries()) {
      const report = await cutOff().stopWithdrawn(clinic.scope);
      expect(report).toEqual({ ...none, retrying: [{ id, code, attempts: index + 1 }] });
      expect(await clinic.recordings.stopWithdrawn(clinic.scope)).toEqual(none);
      clinic.clock.advance(wait * minute);
    }
    expect((await clinic.get(id)).state).toBe('recording');
    expect((await stops()).at(-1)).toMatchObject({ outcome: 'failed', detail: { cause: 'consent_withdrawn', code } });
    expect(await clinic.recordings.stopWithdrawn(clinic.scope)).toEqual({ ...none, stopped: [id] });
  });

  it.each(['claimStops', 'change'] as const)('converges when it dies before or after %s', async (method) => {
    for (const moment of ['before', 'after'] as const) {
      const sessionId = `s-${moment}`;
      const { id } = await clinic.start(sessionId);
      await withdrawnInSql(sessionId);
      let left = 1;
      clinic.fault = (called, when) => {
        if (called === `recordings.${method}` && when === moment && left-- > 0) throw down();
        if (called === 'recordings.releaseClaim') throw down();
      };
      await clinic.recordings.stopWithdrawn(clinic.scope).catch(() => undefined);
      clinic.fault = undefined;
      clinic.clock.advance(10 * minute);
      await clinic.recordings.stopWithdrawn(clinic.scope);
      expect(await clinic.get(id)).toMatchObject({ state: 'processing' });
      expect((await stops()).filter(({ target, outcome }) => target?.id === id && outcome === 'success')).toHaveLength(
        1,
      );
    }
  });

  it('answers that it had ended when somebody else was quicker', async () => {
    const { id } = await clinic.start();
    await withdrawnInSql();
    const slow = clinic.another({
      providers: {
        twilio: {
          ...clinic.provider,
          stop: async (recording) => {
            await clinic.recordings.stop(id, clinic.doctor);
            await clinic.provider.stop(recording);
          },
        },
      },
    });
    expect(await slow.stopWithdrawn(clinic.scope)).toEqual({ ...none, ended: [id] });
    expect(await stops()).toHaveLength(1);
  });

  it('makes good a withdrawal that found the provider away', async () => {
    const { id } = await clinic.start();
    const withdrawn = cutOff().consent.withdraw({ sessionId: 's-1', patient: 'p1' }, clinic.patient);
    await expect(withdrawn).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect((await clinic.recordings.stopWithdrawn(clinic.scope)).stopped).toEqual([id]);
  });

  it('is what a sweep begins with, even one whose clock is wrong', async () => {
    const { id } = await clinic.start();
    await withdrawnInSql();
    const wrong = clinic.another({ clock: { now: () => new Date('2050-01-01T00:00:00Z') } });
    await expect(wrong.sweep(clinic.scope)).rejects.toMatchObject({ code: 'invalid_configuration' });
    expect((await clinic.get(id)).state).toBe('processing');
  });

  it('is reported by the sweep, with what could not be stopped', async () => {
    const { id } = await clinic.start();
    await withdrawnInSql();
    const gone = clinic.another({ providers: {} });
    expect(await gone.sweep(clinic.scope)).toMatchObject({
      withdrawn: [],
      failed: [{ id, step: 'stop', code: 'invalid_configuration', attempts: 1 }],
    });
    clinic.clock.advance(minute);
    expect(await clinic.recordings.sweep(clinic.scope)).toMatchObject({ withdrawn: [id], failed: [] });
  });

  it('is done once more by the sweep, should what started it have died while it was being stopped', async () => {
    const { id, providerRef } = await clinic.start();
    await withdrawnInSql();
    await clinic.recordings.stopWithdrawn(clinic.scope);
    await clinic.provider.start(await clinic.get(id)); // arrives late, and nobody is left to look again
    clinic.server.outbox.splice(0);
    clinic.clock.advance(11 * minute);
    await clinic.recordings.sweep(clinic.scope);
    expect(told()).toBeGreaterThan(0);
    expect(clinic.server.left(providerRef).compositions).toEqual([]);
  });

  it('is stopped by what starts it, when that is slower than who withdraws and than the worker, who dies', async () => {
    await clinic.consent();
    const late = clinic.another({
      providers: {
        twilio: {
          ...clinic.provider,
          start: async (recording) => {
            await withdrawnInSql();
            clinic.fault = (called) => {
              if (called === 'recordings.change') throw down();
            };
            await clinic.recordings.stopWithdrawn(clinic.scope);
            clinic.fault = undefined;
            clinic.server.outbox.splice(0);
            await clinic.provider.start(recording);
          },
        },
      },
    });
    const { id } = await late.start(startInput(clinic.server.createRoom()), clinic.doctor);
    expect(told()).toBeGreaterThan(0);
    expect(await clinic.get(id)).toMatchObject({ state: 'processing', endedAt: expect.any(String) });
    clinic.clock.advance(10 * minute);
    expect((await clinic.recordings.stopWithdrawn(clinic.scope)).stopped).toEqual([]);
  });

  it('leaves alone what was started in the same room with new consent, and ends the one that had failed', async () => {
    const first = await clinic.start();
    await fail(first);
    await withdrawnInSql();
    clinic.clock.advance(minute);
    const second = await clinic.start('s-1', first.providerRef);
    expect(second.id).not.toBe(first.id);
    clinic.server.outbox.splice(0);
    expect((await clinic.recordings.stopWithdrawn(clinic.scope)).stopped).toEqual([first.id]);
    expect(told()).toBe(0);
    expect((await clinic.get(second.id)).state).toBe('recording');
    expect((await clinic.get(first.id)).endedAt).toBeDefined();
    expect(await clinic.recordings.stopWithdrawn(clinic.scope)).toEqual(none);
  });

  it('does not end, by the sweep, what was started in the room after the one that waits for its media', async () => {
    const first = await clinic.start();
    await clinic.recordings.stop(first.id, clinic.doctor);
    clinic.clock.advance(minute);
    const second = await clinic.start('s-1', first.providerRef);
    clinic.server.outbox.splice(0);
    clinic.clock.advance(11 * minute);
    await clinic.recordings.sweep(clinic.scope);
    expect(told()).toBe(0);
    await clinic.recordings.stop(second.id, clinic.doctor);
    expect(told()).toBeGreaterThan(0);
  });

  it('is not forgotten when a person ends what failed and may still run', async () => {
    const recording = await clinic.start();
    await fail(recording);
    await withdrawnInSql();
    const removal = (recordings: Pick<typeof clinic.recordings, 'delete'>) =>
      recordings.delete(recording.id, { reason: 'nothing was captured' }, clinic.admin);
    await expect(removal(cutOff())).rejects.toMatchObject({ code: 'provider_unavailable' });
    expect((await clinic.get(recording.id)).state).toBe('failed');
    // Stopped now; and what was captured until then is kept as long as the law says.
    await expect(removal(clinic.recordings)).rejects.toMatchObject({ code: 'retention_active' });
    expect(told()).toBeGreaterThan(0);
    expect((await clinic.get(recording.id)).endedAt).toBeDefined();
  });

  it.each([{ limit: 0 }, { limit: 1001 }, { leaseMs: 999 }])('refuses %j', async (options) => {
    await expect(clinic.recordings.stopWithdrawn(clinic.scope, options)).rejects.toMatchObject({
      code: 'invalid_input',
    });
  });
});
