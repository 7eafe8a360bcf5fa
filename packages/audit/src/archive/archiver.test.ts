import { memoryObjects, memoryStores } from '@medzen/adapters-local';
import { isMedzenError, MedzenError, type ObjectStore, type Stores } from '@medzen/core';
import { createSamples, fakeClock, type StoreContext } from '@medzen/testing';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { pgContexts, pgliteContexts } from '../../../../test/sql-contexts.ts';
import { createEvidence, verifyEvidence } from '../evidence.ts';
import { verifyLog } from '../verify-log.ts';
import { archivePaths } from './archive-manifest.ts';
import {
  type ArchivedLog,
  archiveAll,
  archivedLog,
  day,
  prefix,
  purgedBy,
  signer,
  verifierKeys,
} from './archiver.fixture.ts';
import { readArchive } from './read-archive.ts';
import { verifyArchive } from './verify-archive.ts';

const years = (n: number): number => Math.ceil(n * 365.25 * day);

function memoryContext(): StoreContext<keyof Stores> {
  const clock = fakeClock();
  const stores = memoryStores({ clock });
  return {
    stores,
    scope: { tenant: 'clinic-a' },
    otherScope: { tenant: 'clinic-b' },
    clock,
    advance: async (ms) => clock.advance(ms),
    reader: {
      countEvents: async () => stores.inspect.countEvents(),
      eventsFor: async (id) => stores.inspect.eventsFor(id),
    },
    damage: async (id, body) => stores.inspect.damage(id, body),
  };
}

const carriers = [
  ['memory', { create: async () => memoryContext(), close: async () => {} }],
  ['PGlite', await pgliteContexts()],
  ['pg', await pgContexts()],
] as const;

describe.each(carriers)('the archive over %s', (_name, contexts) => {
  afterAll(() => contexts.close());

  async function using<T>(run: (context: StoreContext<keyof Stores>) => Promise<T>): Promise<T> {
    const context = await contexts.create();
    try {
      return await run(context);
    } finally {
      await context.dispose?.();
    }
  }
  const verdictOf = ({ context }: ArchivedLog) =>
    verifyLog({ store: context.stores.log, verifierKeys, clock: context.clock });

  test('holds whole months, in ranges without a gap, and what it holds is verified without a database', async () => {
    await using(async (context) => {
      const log = await archivedLog(context, [300, 700], { maxLeaves: 400 });
      expect(await archiveAll(log.archiver)).toEqual(['0-300', '300-700', '700-1000']);
      const [from, bodies]: [number, Uint8Array[]] = [300, []];
      for await (const { body } of readArchive(log.objects, prefix, { first: from, end: 700 })) bodies.push(body);
      expect(bodies).toEqual(log.events.slice(300, 700).map(({ body }) => body));
      const range = { objects: log.objects, prefix, first: 300, end: 700 };
      expect(await verifyArchive({ ...range, verifierKeys })).toMatchObject({
        ok: true,
        manifest: { first: 300, end: 700 },
      });
      expect(await verifyArchive({ ...range, verifierKeys: [] })).toEqual({ ok: false, reason: 'checkpoint' });
      expect(await verifyArchive({ ...range, first: 299, verifierKeys })).toEqual({ ok: false, reason: 'missing' });
    });
  });

  test('leaves the month alone that is not over', async () => {
    await using(async (context) => {
      const log = await archivedLog(context, [3]);
      await context.stores.audit.append(context.scope, [createSamples(context).event()]);
      await log.sequence();
      expect(await archiveAll(log.archiver)).toEqual(['0-3']);
      await context.advance(32 * day);
      expect(await archiveAll(log.archiver)).toEqual(['3-4']);
    });
  });

  test('after a purge the log verifies; what was purged can be proved from the archive, and stays taken', async () => {
    await using(async (context) => {
      const { stores, scope, advance, reader } = context;
      const log = await archivedLog(context, [5, 300]);
      await archiveAll(log.archiver);
      expect(await log.archiver.purge(purgedBy)).toEqual({ purged: [], held: [] });
      await advance(years(6) - 50 * day); // the first month is old enough, the second is not
      expect(await log.archiver.purge(purgedBy)).toEqual({ purged: [{ first: 0, end: 5 }], held: [] });
      expect(await reader.countEvents()).toBe(301); // with the event of the purge
      await log.sequence();
      expect(await verdictOf(log)).toMatchObject({ ok: true, purged: 5, size: 306, unsequenced: 0 });
      const [last] = await stores.log.readLeaves(305, 1);
      expect(new TextDecoder().decode(last?.body)).toContain('"action":"audit.purge"');

      const [gone] = log.events;
      if (gone === undefined) throw new Error('There are events');
      await expect(createEvidence(stores.log, gone.id)).rejects.toMatchObject({ code: 'checkpoint_inconsistent' });
      for await (const { body } of readArchive(log.objects, prefix, { first: 0, end: 5 })) {
        const evidence = await createEvidence(stores.log, gone.id, { body });
        expect(await verifyEvidence(evidence, verifierKeys)).toMatchObject({ ok: true, event: { id: gone.id } });
        break;
      }
      await expect(
        createEvidence(stores.log, gone.id, { body: log.events[1]?.body ?? gone.body }),
      ).rejects.toMatchObject({ code: 'checkpoint_inconsistent' });
      await expect(stores.audit.append(scope, [gone])).rejects.toMatchObject({ code: 'audit_conflict' });
      expect(await log.archiver.purge(purgedBy)).toEqual({ purged: [], held: [] });
    });
  });

  test('is purged by calendar years, never sooner', async () => {
    await using(async (context) => {
      const { stores, clock, advance } = context;
      const log = await archivedLog(context, [2]);
      await archiveAll(log.archiver);
      const [row] = await stores.archive.list(0, 1);
      const until = new Date(row?.newestAt ?? '');
      until.setUTCFullYear(until.getUTCFullYear() + 7);
      await advance(until.getTime() - clock.now().getTime() - 1);
      expect(await log.archiver.purge({ ...purgedBy, years: 7 })).toEqual({ purged: [], held: [] });
      await advance(1);
      expect(await log.archiver.purge({ ...purgedBy, years: 7 })).toMatchObject({ purged: [{ first: 0, end: 2 }] });
      await expect(log.archiver.purge({ ...purgedBy, years: 5 })).rejects.toMatchObject({ code: 'invalid_input' });
    });
  });

  test('is not purged while a legal hold stands on the patient of one of its events', async () => {
    await using(async (context) => {
      const { stores, scope, advance } = context;
      const log = await archivedLog(context, [3]);
      await archiveAll(log.archiver);
      await advance(years(7));
      const samples = createSamples({ scope, clock: context.clock });
      const hold = samples.hold({ patient: 'p0' });
      await stores.recordings.placeHold(scope, hold, samples.event());
      expect(await log.archiver.purge(purgedBy)).toEqual({ purged: [], held: [{ first: 0, end: 3 }] });
      await stores.recordings.releaseHold(
        scope,
        hold.id,
        'counsel',
        context.clock.now().toISOString(),
        samples.event(),
      );
      expect(await log.archiver.purge(purgedBy)).toMatchObject({ purged: [{ first: 0, end: 3 }] });
    });
  });

  test('nothing is purged that is not in the archive as it was noted', async () => {
    await using(async (context) => {
      const log = await archivedLog(context, [3, 3]);
      await log.archiver.archive();
      await context.advance(years(7));
      const { versions } = await log.objects.listVersions(`${prefix}archive/`);
      const events = versions.filter(({ key }) => key.endsWith('.ndjson'));
      const blind = log.again({
        objects: { ...log.objects, get: async (key) => (key.endsWith('.ndjson') ? undefined : log.objects.get(key)) },
      });
      await expect(blind.purge(purgedBy)).rejects.toMatchObject({ code: 'checkpoint_inconsistent' });
      await log.objects.deleteVersions(events);
      await log.objects.put(events[0]?.key ?? '', new TextEncoder().encode('{}\n'), { contentType: 'text/plain' });
      await expect(log.archiver.purge(purgedBy)).rejects.toMatchObject({ code: 'checkpoint_inconsistent' });
      expect(await context.reader.countEvents()).toBe(6);
    });
  });

  test('an event that was altered or is missing is not archived, and neither is what follows it', async () => {
    await using(async (context) => {
      const log = await archivedLog(context, [3]);
      const [first, second] = log.events;
      await context.damage?.(first?.id ?? '', second?.body);
      await expect(log.archiver.archive()).rejects.toMatchObject({ code: 'checkpoint_inconsistent' });
      await context.damage?.(first?.id ?? '', first?.body);
      await context.damage?.(second?.id ?? '', undefined);
      await expect(log.archiver.archive()).rejects.toMatchObject({ code: 'checkpoint_inconsistent' });
      expect((await log.objects.listVersions(`${prefix}archive/`)).versions).toEqual([]);
    });
  });

  test('a purge is compared with the archive where the verifier has it', async () => {
    await using(async (context) => {
      const log = await archivedLog(context, [2, 6]);
      const [span] = await archiveAll(log.archiver);
      expect(span).toBe('0-2');
      await context.advance(years(6) - 50 * day);
      await log.archiver.purge(purgedBy);
      await log.sequence();
      const { clock, stores } = context;
      const against = (objects: ObjectStore) =>
        verifyLog({ store: stores.log, verifierKeys, clock, archive: { objects, prefix } });
      expect(await against(log.objects)).toMatchObject({ ok: true, purged: 2 });
      const paths = archivePaths({ first: 0, end: 2 });
      const [events, manifest] = [prefix + paths.events, prefix + paths.manifest];
      const { objects } = log;
      const altered: ObjectStore = {
        ...objects,
        get: async (key, options) => {
          const found = await objects.get(key, options);
          if (key !== events || found === undefined) return found;
          const text = (await new Response(found.body).text()).replace('provider-1', 'provider-2');
          return { ...found, body: new Blob([text]).stream() };
        },
      };
      const without = (gone: string): ObjectStore => ({
        ...objects,
        get: async (key, options) => (key === gone ? undefined : objects.get(key, options)),
      });
      for (const damaged of [altered, without(events), without(manifest), memoryObjects({ clock })]) {
        const verdict = await against(damaged);
        expect(verdict).toMatchObject({ ok: false });
        expect(verdict.ok ? [] : verdict.findings).toContainEqual(
          expect.objectContaining({ kind: 'event_missing', purge: 'not_in_archive' }),
        );
      }
    });
  });

  test('whatever is altered or removed after a purge is found', async () => {
    await using(async (context) => {
      const log = await archivedLog(context, [2, 6]);
      await archiveAll(log.archiver);
      await context.advance(years(6) - 50 * day);
      await log.archiver.purge(purgedBy);
      await log.sequence();
      const { log: store } = context.stores;
      const leaves = await store.readLeaves(0, 100);
      expect(await verdictOf(log)).toMatchObject({ ok: true, purged: 2 });
      for (const { body, eventId } of leaves) {
        if (body === undefined) continue;
        const altered = body.slice();
        altered[5] = (altered[5] ?? 0) ^ 1;
        await context.damage?.(eventId, altered);
        expect(await verdictOf(log), `altered ${eventId}`).toMatchObject({ ok: false });
        await context.damage?.(eventId, body);
      }
      const tile = await store.readTile(0, 0);
      for (const at of leaves.keys()) {
        const hashes = tile?.hashes.slice() ?? new Uint8Array();
        hashes[32 * at] = (hashes[32 * at] ?? 0) ^ 1;
        const damaged = { ...store, readTile: async () => ({ level: 0, index: 0, hashes }) };
        expect(await verifyLog({ store: damaged, verifierKeys, clock: context.clock }), `hash ${at}`).toMatchObject({
          ok: false,
        });
      }
      const last = leaves.findLast(({ body }) => body !== undefined);
      await context.damage?.(last?.eventId ?? '', undefined);
      // It was the event of the purge: now nothing says any longer why the others are missing.
      expect(await verdictOf(log)).toMatchObject({ ok: false });
    });
  });
});

describe('an archiver', () => {
  test('goes on wherever the last one ended', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 30 }), fc.boolean(), async (steps, after) => {
        const log = await archivedLog(memoryContext(), [300]);
        let left = steps;
        const crashing = <T extends object>(target: T): T =>
          new Proxy(target, {
            get: (whole, name) => {
              const method: unknown = Reflect.get(whole, name);
              if (typeof method !== 'function') return method;
              return async (...args: readonly unknown[]) => {
                const dead = left-- <= 0;
                if (dead && !after) throw new MedzenError('store_unavailable', 'Killed before');
                const answer: unknown = await method.apply(whole, args);
                if (dead) throw new MedzenError('store_unavailable', 'Killed after');
                return answer;
              };
            },
          });
        const { stores } = log.context;
        const killed = log.again({
          store: { log: crashing(stores.log), archive: crashing(stores.archive) },
          objects: crashing<ObjectStore>(log.objects),
        });
        await killed.archive().catch((error: unknown) => {
          if (!isMedzenError(error) || error.code !== 'store_unavailable') throw error;
        });
        await archiveAll(log.archiver);
        expect(await stores.archive.list(0, 10)).toMatchObject([{ first: 0, end: 300, status: 'archived' }]);
        const { versions } = await log.objects.listVersions(`${prefix}archive/`);
        expect(versions.length).toBe(2); // nothing twice
        const range = { objects: log.objects, prefix, first: 0, end: 300 };
        expect(await verifyArchive({ ...range, verifierKeys: [signer.verifierKey] })).toMatchObject({ ok: true });
      }),
      { numRuns: 60 },
    );
  });

  test('and another one at once archive each range once', async () => {
    const contexts = await pgContexts();
    try {
      const context = await contexts.create();
      const log = await archivedLog(context, [300, 20, 400], { maxLeaves: 256 });
      const done = await Promise.all([log.archiver, log.again({}), log.again({})].map(archiveAll));
      expect([...new Set(done.flat())].toSorted()).toEqual(['0-256', '256-300', '300-320', '320-576', '576-720']);
      expect((await context.stores.archive.list(0, 10)).map(({ status }) => status)).toEqual(Array(5).fill('archived'));
      await context.advance(years(7));
      const purged = await Promise.all([log.archiver, log.again({}), log.again({})].map((one) => one.purge(purgedBy)));
      expect(purged.flatMap((one) => one.purged)).toHaveLength(5);
      await log.sequence();
      expect(await verifyLog({ store: context.stores.log, verifierKeys, clock: context.clock })).toMatchObject({
        ok: true,
        purged: 720,
        size: 725,
      });
      await context.dispose?.();
    } finally {
      await contexts.close();
    }
  });
});
