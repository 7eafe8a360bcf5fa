import { type ArchiveStore, type LogStore, type LogTile, openEvent } from '@medzen/core';
import type { BrokenStore } from '../broken-store.ts';
import { modelLeaf } from '../merkle-model.ts';
import type { LogStoreContext } from '../store-context.ts';

type Fault = (good: LogStore, context: LogStoreContext) => Partial<LogStore>;

function broken(id: string, title: string, mustFail: string, fault: Fault): BrokenStore<LogStoreContext> {
  return {
    id: `log.${id}`,
    title,
    mustFail: `log.${mustFail}`,
    wrap: (context) => {
      const good = context.stores.log;
      return { ...context, stores: { ...context.stores, log: { ...good, ...fault(good, context) } } };
    },
  };
}

type ArchiveFault = (good: ArchiveStore) => Partial<ArchiveStore>;

function brokenArchive(id: string, title: string, mustFail: string, fault: ArchiveFault): BrokenStore<LogStoreContext> {
  return {
    id: `log.archive_${id}`,
    title,
    mustFail: `log.archive.${mustFail}`,
    wrap: (context) => {
      const good = context.stores.archive;
      return { ...context, stores: { ...context.stores, archive: { ...good, ...fault(good) } } };
    },
  };
}

/** Log stores that must fail `logStoreCases`. */
export const brokenLogStores: readonly BrokenStore<LogStoreContext>[] = [
  broken('orders_by_id', 'reads by event id alone', 'read.order', (good) => ({
    readBatch: async (limit) => {
      const all = await good.readBatch(10_000);
      return all.toSorted((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit);
    },
  })),

  broken('one_tenant', 'reads the events of one tenant', 'read.all_tenants', (good, { scope }) => ({
    readBatch: async (limit) =>
      (await good.readBatch(10_000)).filter(({ body }) => openEvent(body).tenant === scope.tenant).slice(0, limit),
  })),

  broken('id_watermark', 'remembers the greatest id it sequenced and reads on from there', 'read.lower_id', (good) => {
    let mark = '';
    return {
      readBatch: async (limit) => (await good.readBatch(10_000)).filter(({ id }) => id > mark).slice(0, limit),
      commitBatch: (commit) => {
        for (const id of commit.eventIds) if (id > mark) mark = id;
        return good.commitBatch(commit);
      },
    };
  }),

  broken('reads_once', 'does not read again what was read and not committed', 'read.repeats', (good) => {
    const seen = new Set<string>();
    return {
      readBatch: async (limit) => {
        const batch = (await good.readBatch(10_000)).filter(({ id }) => !seen.has(id)).slice(0, limit);
        for (const { id } of batch) seen.add(id);
        return batch;
      },
    };
  }),

  broken('no_compare', 'swaps without comparing the size', 'commit.stale_size', (good) => ({
    commitBatch: async (commit) => {
      const { size, root } = await good.head();
      return good.commitBatch({ ...commit, expectedSize: size, expectedRoot: root });
    },
  })),

  broken('no_root', 'compares the size and not the root', 'commit.other_root', (good) => ({
    commitBatch: async (commit) => {
      const { size, root } = await good.head();
      return good.commitBatch(size === commit.expectedSize ? { ...commit, expectedRoot: root } : commit);
    },
  })),

  broken(
    'trusts_leaf_hashes',
    'does not look whether a leaf hash is of the stored body',
    'commit.other_leaf_hash',
    (good) => ({
      commitBatch: async (commit) => {
        const bodies = new Map((await good.readBatch(10_000)).map(({ id, body }) => [id, body]));
        const leafHashes = commit.eventIds.map((id) => modelLeaf(bodies.get(id) ?? new Uint8Array()));
        return good.commitBatch({ ...commit, leafHashes });
      },
    }),
  ),

  broken('skips_unknown', 'leaves out events that it does not know', 'commit.unknown_event', (good) => ({
    commitBatch: async (commit) => {
      const known = new Set((await good.readBatch(10_000)).map(({ id }) => id));
      const kept = commit.eventIds.flatMap((id, i) => (known.has(id) ? [i] : []));
      const pick = <T>(list: readonly T[]): T[] => list.filter((_, i) => kept.includes(i));
      return good.commitBatch({ ...commit, eventIds: pick(commit.eventIds), leafHashes: pick(commit.leafHashes) });
    },
  })),

  broken('keeps_narrow_tiles', 'does not replace a partial tile', 'commit.grows', (good) => {
    const first = new Map<string, LogTile>();
    return {
      commitBatch: (commit) => {
        for (const tile of commit.tiles) {
          const key = `${tile.level}/${tile.index}`;
          if (!first.has(key)) first.set(key, tile);
        }
        return good.commitBatch(commit);
      },
      readTile: async (level, index) => first.get(`${level}/${index}`),
    };
  }),

  broken('one_level', 'keeps tiles by index alone', 'commit.tiles', (good) => ({
    readTile: async (level, index) => (await good.readTile(0, index)) ?? good.readTile(level, index),
  })),

  broken('counts_leaves_from_one', 'counts leaves from one', 'commit.swaps', (good) => ({
    leafOf: async (eventId) => {
      const index = await good.leafOf(eventId);
      return index === undefined ? undefined : index + 1;
    },
  })),

  broken(
    'repeats_a_checkpoint',
    'gives the checkpoint of the very size that was asked after',
    'commit.grows',
    (good) => ({
      checkpoints: (afterSize, limit) => good.checkpoints(Math.max(0, afterSize - 1), limit),
    }),
  ),

  broken('leaf_before_commit', 'gives leaves to events that are not sequenced', 'leaf_of.unsequenced', (good) => ({
    leafOf: async (eventId) => (await good.leafOf(eventId)) ?? 0,
  })),

  broken('hides_lag', 'reports no lag', 'lag', () => ({ lag: async () => ({ pending: 0, lost: 0, oldestMs: 0 }) })),

  broken('hides_damage', 'shows the bodies as they were when they were sequenced', 'leaves.damaged', (good) => {
    const bodies = new Map<string, Uint8Array>();
    return {
      commitBatch: async (commit) => {
        for (const { id, body } of await good.readBatch(10_000)) bodies.set(id, body);
        return good.commitBatch(commit);
      },
      readLeaves: async (from, limit) =>
        (await good.readLeaves(from, limit)).map((leaf) => {
          const body = bodies.get(leaf.eventId);
          return body === undefined ? leaf : { ...leaf, body };
        }),
    };
  }),

  broken('keeps_cosignatures_to_itself', 'shows no cosignature with the head', 'cosign.shows', (good) => ({
    head: async () => {
      const head = await good.head();
      return head.checkpoint === undefined ? head : { ...head, checkpoint: withoutCosignatures(head.checkpoint) };
    },
  })),

  broken('cosigns_the_head', 'adds a cosignature to whatever is the head', 'cosign.own_size', (good) => ({
    addCosignature: async (_size, line) => good.addCosignature((await good.head()).size, line),
  })),

  broken('one_cosignature_a_name', 'keeps one cosignature of a name', 'cosign.once', (good) => {
    const names = new Set<string | undefined>();
    return {
      addCosignature: async (size, line) => {
        const name = line.split(' ')[1];
        if (names.has(name)) return { status: 'repeated' };
        names.add(name);
        return good.addCosignature(size, line);
      },
    };
  }),

  broken('cosigns_nothing', 'says it added what belongs to no checkpoint', 'cosign.unknown', (good) => ({
    addCosignature: async (size, line) => {
      const { status } = await good.addCosignature(size, line);
      return { status: status === 'unknown' ? 'added' : status };
    },
  })),

  broken('takes_any_line', 'lets anything count as a cosignature', 'cosign.invalid', (good) => ({
    addCosignature: (size, line) => good.addCosignature(size, line).catch(() => ({ status: 'repeated' as const })),
  })),

  broken('cosigns_past_reading', 'takes cosignatures that nobody reads', 'cosign.readable', (good) => ({
    addCosignature: (size, line) =>
      good.addCosignature(size, line).catch((error: unknown) => {
        if (line.length > 8000 && line.length < 8192) return { status: 'added' as const };
        throw error;
      }),
  })),

  broken(
    'rebases_in_two_steps',
    'writes the event of a rebase, then commits it',
    'rebase.stale',
    (good, { stores }) => ({
      commitRebase: async (scope, event, commit) => {
        await stores.audit.append(scope, [event]);
        return good.commitBatch(commit);
      },
    }),
  ),

  broken(
    'rebases_with_any_event',
    'takes any event for that of a rebase',
    'rebase.other_event',
    (good, { stores }) => ({
      commitRebase: async (scope, event, commit) => {
        const { size, root } = await good.head();
        if (size !== commit.expectedSize || root.some((byte, i) => byte !== commit.expectedRoot[i]))
          return { status: 'conflict' };
        await stores.audit.append(scope, [event]);
        return good.commitBatch(commit);
      },
    }),
  ),

  broken(
    'rebases_without_a_leaf',
    'records a rebase and leaves the tree as it was',
    'rebase.commits',
    (_, { stores }) => ({
      commitRebase: async (scope, event) => {
        await stores.audit.append(scope, [event]);
        return { status: 'committed' };
      },
    }),
  ),

  broken('rebases_only_what_is_left', 'cannot go on from nothing', 'rebase.empty', (good) => ({
    commitRebase: async (scope, event, commit) =>
      commit.expectedSize === 0 ? { status: 'conflict' } : good.commitRebase(scope, event, commit),
  })),

  broken('every_rebase_wins', 'tells each of several that it was the one', 'rebase.race', (good) => ({
    commitRebase: async (scope, event, commit) => {
      await good.commitRebase(scope, event, commit);
      return { status: 'committed' };
    },
  })),

  broken('calls_all_stray', 'calls an event stray that waits for its leaf', 'strays.none', (good) => ({
    readStrays: async (after, limit) => {
      const waiting = (await good.readBatch(1)).map(({ id }) => ({ kind: 'event' as const, eventId: id }));
      const page = await good.readStrays(after, limit);
      return { ...page, strays: [...page.strays, ...waiting] };
    },
  })),

  broken('strays_without_end', 'begins its search for strays anew at the end', 'strays.none', (good) => ({
    readStrays: async (_, limit) => ({ ...(await good.readStrays(undefined, limit)), next: 'leaf' }),
  })),

  broken('any_place', 'begins at the beginning for a place that it does not know', 'strays.place', (good) => ({
    readStrays: (after, limit) => good.readStrays(after?.startsWith('nowhere') === true ? undefined : after, limit),
  })),

  brokenArchive('whole_log', 'archives what is there, whatever the month', 'months', (good) => ({
    begin: async (maxLeaves) => {
      const row = await good.begin(maxLeaves);
      return row && { ...row, end: row.first + maxLeaves };
    },
  })),

  brokenArchive('own_ranges', 'begins a range for each who asks', 'once', (good) => {
    let asked = 0;
    return {
      begin: async (maxLeaves) => {
        const row = await good.begin(maxLeaves);
        return row && { ...row, end: row.end + asked++ };
      },
    };
  }),

  brokenArchive('any_manifest', 'takes any manifest for a range that was archived', 'once', (good) => ({
    finish: async (span, manifestSha256) => {
      const { status } = await good.finish(span, manifestSha256);
      return { status: status === 'conflict' ? 'repeated' : status };
    },
  })),

  brokenArchive('forgets_time', 'does not say how old the events are', 'newest', (good) => ({
    begin: async (maxLeaves) => {
      const row = await good.begin(maxLeaves);
      return row && { ...row, newestAt: new Date(0).toISOString() };
    },
  })),
];

/** A checkpoint's body and the log's own line. */
function withoutCosignatures(checkpoint: string): string {
  const body = checkpoint.lastIndexOf('\n\n') + 2;
  return checkpoint.slice(0, checkpoint.indexOf('\n', body) + 1);
}
