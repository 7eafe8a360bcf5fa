import type { Claim } from '@medzen/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, down, openClinic } from '../../test/clinic.ts';
import { keepLease } from './keep-lease.ts';

const leaseMs = 60_000;

let clinic: Clinic;
let claim: Claim;
let renewals: number;
let renew: () => Promise<void>;
beforeEach(async () => {
  clinic = await openClinic();
  const { id } = await clinic.uploading();
  await clinic.close();
  claim = await claimed(id);
  renewals = 0;
  const recordings = {
    ...clinic.stores.recordings,
    renewClaim: (...args: Parameters<typeof clinic.stores.recordings.renewClaim>) => {
      renewals += 1;
      return clinic.stores.recordings.renewClaim(...args);
    },
  };
  renew = keepLease({ stores: { ...clinic.stores, recordings }, clock: clinic.clock }, clinic.scope, claim, leaseMs);
});

async function claimed(id: string): Promise<Claim> {
  const [found] = await clinic.stores.recordings.claimTransfers(clinic.scope, { limit: 1, leaseMs, id });
  if (found === undefined) throw new Error('not claimed');
  return found;
}

const others = () => clinic.stores.recordings.claimTransfers(clinic.scope, { limit: 1, leaseMs });

describe('the lease of a deletion', () => {
  it('is renewed once a third of it has passed, and not before', async () => {
    await renew();
    clinic.clock.advance(leaseMs / 3 - 1);
    await renew();
    expect(renewals).toBe(0);
    clinic.clock.advance(1);
    await renew();
    await renew();
    expect(renewals).toBe(1);
  });

  it('lasts as long as the work, and no other worker gets the row meanwhile', async () => {
    for (let step = 0; step < 20; step++) {
      clinic.clock.advance(leaseMs / 3);
      await renew();
      expect(await others()).toEqual([]);
    }
    expect(renewals).toBe(20);
  });

  it('is renewed too when the clock was set back: how much of it is left is not known then', async () => {
    clinic.clock.advance(-leaseMs);
    await renew();
    expect(renewals).toBe(1);
  });

  it('ends the work when another worker has the row, and does not disturb that one', async () => {
    clinic.clock.advance(leaseMs * 5);
    const { token } = await claimed(claim.recording.id);
    await expect(renew()).rejects.toMatchObject({ code: 'lease_lost' });
    expect(await clinic.stores.recordings.renewClaim(clinic.scope, claim.recording.id, token, leaseMs)).toBe(true);
  });

  it('that ran out while nobody else took it is taken up again', async () => {
    clinic.clock.advance(leaseMs * 5);
    await renew();
    expect(await others()).toEqual([]);
  });

  it('is tried again at the next step when the store could not be asked', async () => {
    const good = clinic.stores.recordings;
    let away = true;
    const renewClaim: typeof good.renewClaim = (...args) => (away ? Promise.reject(down()) : good.renewClaim(...args));
    const stores = { ...clinic.stores, recordings: { ...good, renewClaim } };
    const again = keepLease({ stores, clock: clinic.clock }, clinic.scope, claim, leaseMs);
    clinic.clock.advance(leaseMs / 3);
    await expect(again()).rejects.toMatchObject({ code: 'store_unavailable' });
    away = false;
    await again();
    clinic.clock.advance(leaseMs - 1);
    expect(await others()).toEqual([]);
  });
});
