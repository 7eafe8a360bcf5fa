import { spawn } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { memoryStores } from '@medzen/adapters-local';
import {
  type AuditEventDraft,
  type AuditStore,
  createIds,
  MedzenError,
  type SealedEvent,
  sealEvent,
  systemClock,
  systemRandom,
} from '@medzen/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuditLog } from './audit-log.ts';
import { createSpool, type FolderSpool } from './node/create-spool.ts';

const scope = { tenant: 'default' };
const sealing = { clock: systemClock, random: systemRandom, ids: createIds(systemClock, systemRandom) };
const draft: AuditEventDraft = {
  action: 'recording.view',
  kind: 'read',
  outcome: 'success',
  tenant: 'default',
  actor: { id: 'u1', type: 'user' },
  source: {},
};
const sealed = (count: number, tenant = 'default'): readonly SealedEvent[] =>
  Array.from({ length: count }, () => sealEvent({ ...draft, tenant }, sealing));

let folder: string;
let spools: FolderSpool[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'medzen-spool-'));
  spools = [];
});
afterEach(async () => {
  await Promise.allSettled(spools.map((spool) => spool.close()));
  await rm(folder, { recursive: true });
});

async function spoolIn(options: { maxBytes?: number } = {}): Promise<FolderSpool> {
  const spool = await createSpool({ folder, ...options });
  spools.push(spool);
  return spool;
}

/** A store that can be taken down, and what it was given, in order. */
function breakable() {
  const { audit } = memoryStores();
  const given: string[] = [];
  let up = true;
  const store: AuditStore = {
    ...audit,
    append: async (to, events, options) => {
      if (!up) throw new MedzenError('store_unavailable', 'down');
      const result = await audit.append(to, events, options);
      given.push(...events.map(({ id }) => id));
      return result;
    },
  };
  const all = async (): Promise<readonly string[]> => {
    const { events } = await audit.search(scope, { limit: 1000 });
    return events.map(({ id }) => id).sort();
  };
  return {
    store,
    given,
    all,
    up: (yes: boolean): void => {
      up = yes;
    },
  };
}

const idsOf = (events: readonly SealedEvent[]): string[] => events.map(({ id }) => id);

describe('an audit log with a spool', () => {
  it('accepts reads while the store is down, and has them all in it afterwards, in order and once', async () => {
    const { store, up, given, all } = breakable();
    const spool = await spoolIn();
    const audit = createAuditLog({ store, spool });
    const facts = { ...draft, kind: 'read' } as const;
    up(false);
    const kept: string[] = [];
    for (let i = 0; i < 20; i++) {
      const { status, id } = await audit.record(facts, { scope });
      expect(status).toBe('spooled');
      kept.push(id);
    }
    expect(await audit.audited(facts, { scope }, () => 'the note')).toBe('the note');
    expect(await spool.size()).toBe(21);
    await expect(spool.drain(store)).rejects.toMatchObject({ code: 'store_unavailable' });
    up(true);
    expect(await spool.drain(store)).toEqual({ drained: 21, rejected: 0, left: 0 });
    expect(given.slice(0, 20)).toEqual(kept);
    expect(await all()).toHaveLength(21);
    expect(await spool.drain(store)).toEqual({ drained: 0, rejected: 0, left: 0 });
    expect((await readdir(folder)).sort()).toEqual(['00000001-000000000002.spool', 'lock.00000001']);
  });

  it('accepts no change while the store is down: nobody could say whether it was committed', async () => {
    const { store, up } = breakable();
    const spool = await spoolIn();
    up(false);
    const change = { ...draft, action: 'note.write', kind: 'update' } as const;
    await expect(createAuditLog({ store, spool }).record(change, { scope })).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    expect(await spool.size()).toBe(0);
  });

  it('accepts nothing while neither store nor disk takes it', async () => {
    const { store, up } = breakable();
    const spool = await spoolIn({ maxBytes: 1000 });
    const audit = createAuditLog({ store, spool });
    up(false);
    let kept = 0;
    await expect(async () => {
      for (;;) {
        await audit.record({ ...draft }, { scope });
        kept++;
      }
    }).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(kept).toBeGreaterThan(0);
    up(true);
    expect(await spool.drain(store)).toEqual({ drained: kept, rejected: 0, left: 0 });
    up(false);
    expect(await audit.record({ ...draft }, { scope })).toMatchObject({ status: 'spooled' });
  });
});

describe('a spool', () => {
  it('finds what an earlier process kept', async () => {
    const { store, all } = breakable();
    const events = sealed(5);
    const before = await spoolIn();
    await before.keep(scope, events);
    await before.close();
    const after = await spoolIn();
    expect(await after.size()).toBe(5);
    await after.drain(store);
    expect(await all()).toEqual(idsOf(events).sort());
  });

  it('drains again what it had drained when the process died before it could tell', async () => {
    const { store, all } = breakable();
    const events = sealed(5);
    await store.append(scope, events); // the crash came between this and the end of the file
    const spool = await spoolIn();
    await spool.keep(scope, events);
    expect(await spool.drain(store)).toEqual({ drained: 5, rejected: 0, left: 0 });
    expect(await all()).toHaveLength(5);
  });

  it('drops a last line that was never finished, which nobody was told of, and nothing else', async () => {
    const events = sealed(3);
    const before = await spoolIn();
    await before.keep(scope, events);
    await before.close();
    const file = join(folder, '00000001-000000000001.spool');
    const whole = await readFile(file);
    for (const cut of [1, 5, 100]) {
      await writeFile(file, whole);
      await truncate(file, whole.length - cut);
      const spool = await spoolIn();
      expect(await spool.size()).toBe(2);
      await spool.close();
    }
  });

  it('sets aside a line that the disk damaged, and what the store will never take, and hands over the rest', async () => {
    const { store, all } = breakable();
    const [taken, good, bad] = [sealed(1)[0], sealed(2), sealed(1, 'other')[0]];
    if (taken === undefined || bad === undefined) throw new Error('no events');
    await store.append(scope, [taken]);
    const spool = await spoolIn();
    await spool.keep(scope, good.slice(0, 1));
    await spool.keep(scope, [{ id: taken.id, body: good[1]?.body ?? taken.body }]); // not that event
    await spool.keep(scope, [bad]); // of another tenant than it says
    await spool.keep(scope, good.slice(1));
    await spool.close();
    await appendFile(join(folder, '00000001-000000000001.spool'), '0123456789abcdef {"tenant":"default"}\n');
    const again = await spoolIn();
    expect(await again.drain(store)).toEqual({ drained: 2, rejected: 3, left: 0 });
    expect(await all()).toEqual([taken.id, ...idsOf(good)].sort());
    expect((await readFile(join(folder, 'rejected.spool'), 'utf8')).split('\n')).toHaveLength(4);
  });

  it('keeps what comes while it drains, from many callers at once', async () => {
    const { store, all } = breakable();
    const spool = await spoolIn();
    const events = sealed(400);
    const keeping = events.map((event, i) => (i % 2 === 0 ? spool.keep(scope, [event]) : undefined));
    const drains = [spool.drain(store), spool.drain(store)];
    keeping.push(...events.map((event, i) => (i % 2 === 1 ? spool.keep(scope, [event]) : undefined)));
    await Promise.all([...keeping, ...drains]);
    await spool.drain(store);
    expect(await all()).toEqual(idsOf(events).sort());
  });

  it('is one process’s own: two over one folder would drain and remove what the other one still writes to', async () => {
    const spool = await spoolIn();
    expect(await spool.size()).toBe(0);
    await expect(createSpool({ folder })).rejects.toMatchObject({ code: 'invalid_configuration' });
  });

  it('accepts and hands over nothing more once another process has taken it for dead, and loses nothing', async () => {
    const { store, all } = breakable();
    const frozen = await createSpool({ folder }); // never closed
    const [before, after] = [sealed(2), sealed(1)];
    await frozen.keep(scope, before);
    // What a second container sees of one whose machine stood still.
    await writeFile(join(folder, 'lock.00000002'), 'free');
    const spool = await spoolIn();
    await expect(frozen.keep(scope, after)).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(frozen.drain(store)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await spool.size()).toBe(2);
    await spool.drain(store);
    expect(await all()).toEqual(expect.arrayContaining(idsOf(before)));
  });

  it('keeps events while a store that it drains into never answers', async () => {
    const spool = await createSpool({ folder }); // never closed: that would wait for the store
    await spool.keep(scope, sealed(1));
    const asked = new Promise<void>((resolve) => {
      const hangs = () => new Promise<never>(() => resolve());
      void spool.drain({ ...breakable().store, append: hangs });
    });
    await asked;
    await spool.keep(scope, sealed(1));
    expect(await spool.size()).toBe(2);
  });

  it('sets a line aside once, however often the store is down before it is drained', async () => {
    const { store, up } = breakable();
    const before = await spoolIn();
    await before.keep(scope, sealed(1));
    await before.close();
    await appendFile(join(folder, '00000001-000000000001.spool'), 'damaged\n');
    const spool = await spoolIn();
    await spool.keep(scope, sealed(1));
    up(false);
    for (let i = 0; i < 3; i++) await expect(spool.drain(store)).rejects.toMatchObject({ code: 'store_unavailable' });
    up(true);
    expect(await spool.drain(store)).toEqual({ drained: 2, rejected: 1, left: 0 });
    expect(await readFile(join(folder, 'rejected.spool'), 'utf8')).toBe('damaged\n');
  });

  it('goes on keeping after a new file could not be begun', async () => {
    const { store, all } = breakable();
    const spool = await spoolIn();
    const [before, after] = [sealed(1), sealed(1)];
    await spool.keep(scope, before);
    const next = join(folder, '00000001-000000000002.spool');
    await mkdir(next); // in the way
    await expect(spool.drain(store)).rejects.toMatchObject({ code: 'store_unavailable' });
    await rm(next, { recursive: true });
    await spool.keep(scope, after);
    expect((await spool.drain(store)).drained).toBe(2);
    expect(await all()).toEqual(idsOf([...before, ...after]).sort());
  });

  it('survives kill -9: whatever was said to be kept is there', async () => {
    const program = `
      import { createSpool } from '@medzen/audit/node';
      import { createIds, sealEvent, systemClock, systemRandom } from '@medzen/core';
      const sealing = { clock: systemClock, random: systemRandom, ids: createIds(systemClock, systemRandom) };
      const spool = await createSpool({ folder: process.argv[1] });
      const draft = ${JSON.stringify(draft)};
      for (;;) {
        const event = sealEvent(draft, sealing);
        await spool.keep({ tenant: 'default' }, [event]);
        process.stdout.write(event.id + '\\n');
      }`;
    for (let round = 0; round < 3; round++) {
      const cwd = fileURLToPath(new URL('..', import.meta.url));
      const child = spawn(process.execPath, ['--input-type=module', '-e', program, folder], { cwd });
      let said = '';
      await new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk: Buffer) => {
          said += chunk.toString();
          if (said.split('\n').length > 20 + 7 * round) child.kill('SIGKILL');
        });
        child.on('exit', () => resolve());
      });
      const kept = said.split('\n').slice(0, -1);
      expect(kept.length).toBeGreaterThan(10);
      const { store, all } = breakable();
      const spool = await spoolIn();
      await spool.drain(store);
      await spool.close();
      const drained = new Set(await all());
      expect(kept.filter((id) => !drained.has(id))).toEqual([]);
    }
  });
});
