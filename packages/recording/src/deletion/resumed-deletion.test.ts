import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clinic, down, openClinic } from '../../test/clinic.ts';

let clinic: Clinic;
beforeEach(async () => {
  clinic = await openClinic();
  await clinic.fact('birth', '1980-05-01');
});
afterEach(() => clinic.close());

/** A recording of which a deletion was noted, and whose object store failed then. */
async function interrupted(when: 'before' | 'after') {
  const { id, objectPrefix } = await clinic.available();
  const listed = await clinic.objects.listVersions(objectPrefix);
  await clinic.warnedUntil('2034-02-20T05:00:00.000Z');
  clinic.fault = (method, at) => {
    if (method === 'objects.deleteVersions' && at === when) throw down();
  };
  expect((await clinic.recordings.sweep(clinic.scope)).failed).toMatchObject([{ id, step: 'delete' }]);
  clinic.fault = undefined;
  expect(await clinic.get(id)).toMatchObject({ state: 'deleting', deletion: { versions: 1 } });
  return { id, objectPrefix, listed };
}

describe('a deletion that is taken up again', () => {
  it('goes back when all that was noted is there still and a fact keeps it by now', async () => {
    const { id, objectPrefix } = await interrupted('before');
    await clinic.fact('treatment', '2034-02-19');
    clinic.clock.advance(5 * 60_000);
    const { canceled, deleted, deferred } = await clinic.recordings.sweep(clinic.scope);
    expect({ canceled, deleted, deferred }).toEqual({
      canceled: [id],
      deleted: [],
      deferred: [{ id, reason: 'not_due' }],
    });
    expect(await clinic.get(id)).toMatchObject({ state: 'available' });
    expect(await clinic.versions(objectPrefix)).toBe(1);
  });

  it('counts what was removed, though a listing shows it still, and does not take that for media', async () => {
    const { id, listed } = await interrupted('after');
    await clinic.fact('treatment', '2034-02-19');
    clinic.clock.advance(5 * 60_000);
    let lists = 0;
    const behind: typeof clinic.objects.listVersions = async (...args) => {
      lists += 1;
      return lists === 1 ? listed : clinic.objects.listVersions(...args);
    };
    const resumed = clinic.another({ objects: { ...clinic.objects, listVersions: behind } });
    expect(await resumed.sweep(clinic.scope)).toMatchObject({ canceled: [], deleted: [id] });
    expect(lists).toBeGreaterThan(1);
    expect((await clinic.get(id)).tombstone).toMatchObject({
      versionsDeleted: 1,
      bytesDeleted: listed.versions[0]?.size,
    });
  });
});
