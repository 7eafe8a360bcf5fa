import {
  type ArchiveRow,
  type AuditActor,
  type Clock,
  createIds,
  equalBytes,
  type Ids,
  isMedzenError,
  type LeafSpan,
  type Logger,
  MedzenError,
  type ObjectDeadlines,
  type ObjectStore,
  type Random,
  type Scope,
  type Stores,
  sealEvent,
  stderrLogger,
  systemClock,
  systemRandom,
  toHex,
  withObjectDeadlines,
} from '@medzen/core';
import { objectTiles } from '../object-tiles.ts';
import { publishLog } from '../publish-log.ts';
import { checkpointPath } from '../tile-path.ts';
import { endedBy, pagesUntil, untilAborted } from '../verify/until-aborted.ts';
import { archivePaths, formatManifest } from './archive-manifest.ts';
import { type ArchiveContents, archiveLines } from './archive-source.ts';
import { verifyArchive } from './verify-archive.ts';

/** Dependencies of an archiver. */
export interface ArchiverDeps {
  /** `archive` writes what it did here; `purge` needs them over a connection of the owner of the tables. */
  readonly store: Pick<Stores, 'log' | 'archive'>;
  /** As well guarded as the database, and best under Object Lock: the events themselves go there. */
  readonly objects: ObjectStore;
  /** Key prefix of the archive with its slash, such as `audit/`. Use one prefix per log. */
  readonly prefix: string;
  /** The log's own, and earlier ones after a rotation: what is not signed by one of them does not count as archived. */
  readonly verifierKeys: readonly string[];
  /** Leaves a range at most, 1–1 000 000; 65 536 when absent. A range also ends with its month. */
  readonly maxLeaves?: number;
  /** Time limits of calls to `objects`. */
  readonly deadlines?: ObjectDeadlines;
  readonly clock?: Clock;
  readonly ids?: Ids;
  readonly random?: Random;
  readonly logger?: Logger;
}

/** Result of `archive`. */
export type ArchiveResult =
  /** The range is in the object store, was read back and verified. */
  | { readonly status: 'archived'; readonly first: number; readonly end: number }
  /** Everything of closed months is archived. */
  | { readonly status: 'idle' };

/** Options of a purge. */
export interface PurgeOptions {
  /** Calendar years in UTC that each event is kept, 6–100; 6 when absent. @see 45 CFR 164.316(b)(2)(i) */
  readonly years?: number;
  /** Tenant of the event that records each purge. */
  readonly scope: Scope;
  readonly actor: AuditActor;
  readonly signal?: AbortSignal;
}

/** Result of a purge. */
export interface PurgeResult {
  /** Ranges whose events are gone now. */
  readonly purged: readonly LeafSpan[];
  /** Ranges past their years that stay, because a legal hold stands on one of their events. */
  readonly held: readonly LeafSpan[];
}

/** Moves what is old from the database to an object store. */
export interface Archiver {
  /**
   * Archives one range of leaves of a closed month: its events as NDJSON, the log's tiles, a manifest; then reads everything back. Only what
   * verifies counts. Ended at any point, the next call goes on with the same range; any number of archivers may be at it.
   *
   * @throws MedzenError `checkpoint_inconsistent` when the database, or the object store, holds something else than what was signed: an operator must
   * look; `store_unavailable`
   */
  archive(signal?: AbortSignal): Promise<ArchiveResult>;

  /**
   * Removes from the database the events of ranges that are archived and past their years, one range a transaction, each with its
   * `audit.purge` event. Each range is read back and verified once more before. Hashes, checkpoints and the archive stay.
   *
   * @throws MedzenError `checkpoint_inconsistent` when a range cannot be verified: nothing of it is removed; `invalid_input` for years out of
   * bounds; `forbidden` when the connection is not the owner's; `store_unavailable`
   */
  purge(options: PurgeOptions): Promise<PurgeResult>;
}

/**
 * Makes an archiver.
 *
 * @example
 * ```ts
 * import { createArchiver } from '@medzen/audit';
 * import type { ObjectStore, Stores } from '@medzen/core';
 * async function everyNight(store: Stores, objects: ObjectStore, verifierKey: string): Promise<void> {
 *   const archiver = createArchiver({ store, objects, prefix: 'audit/', verifierKeys: [verifierKey] });
 *   while ((await archiver.archive()).status === 'archived');
 * }
 * ```
 */
export function createArchiver(deps: ArchiverDeps): Archiver {
  const { store, prefix, verifierKeys, maxLeaves = 65_536, deadlines = {} } = deps;
  const objects = withObjectDeadlines(deps.objects, deadlines);
  const { clock = systemClock, random = systemRandom, logger = stderrLogger } = deps;
  const sealing = { clock, random, ids: deps.ids ?? createIds(clock, random) };
  const target = objectTiles(deps.objects, prefix, deadlines);

  /** Another archiver may have published more in between: then once more, with the head of now. */
  const publish = async (signal: AbortSignal | undefined): Promise<string> => {
    const once = () => publishLog({ store: store.log, target, ...(signal && { signal }) });
    const { folder } = await once().catch((error: unknown) => {
      if (!isMedzenError(error) || error.code !== 'checkpoint_inconsistent') throw error;
      return once();
    });
    return folder;
  };

  /** Puts the events there, unless they are; says what they are either way. */
  const writeEvents = async (span: LeafSpan, signal: AbortSignal | undefined): Promise<ArchiveContents> => {
    let contents: ArchiveContents | undefined;
    const lines = () =>
      archiveLines(
        endedBy(signal, store.log),
        span,
        (found) => {
          contents = found;
        },
        signal,
      );
    const key = prefix + archivePaths(span).events;
    if ((await untilAborted(signal, objects.head(key))) === undefined)
      await endedBy(signal, objects)
        .put(key, streamOf(lines()), {
          contentType: 'application/x-ndjson',
          ifExists: 'refuse',
          ...(signal && { signal }),
        })
        .catch((error: unknown) => {
          if (!isMedzenError(error) || error.code !== 'conflict') throw error; // another archiver was faster
          contents = undefined;
        });
    if (contents === undefined) for await (const _ of lines()); // for what it says of itself
    if (contents === undefined) throw new MedzenError('internal', 'A range of the archive came to nothing');
    return contents;
  };

  const verified = async (span: LeafSpan, signal: AbortSignal | undefined): Promise<Uint8Array> => {
    const { first, end } = span;
    const verdict = await verifyArchive({
      ...{ objects: deps.objects, prefix, first, end, verifierKeys, deadlines },
      ...(signal && { signal }),
    });
    if (verdict.ok) return verdict.manifestSha256;
    throw new MedzenError('checkpoint_inconsistent', 'A range of the archive does not verify', {
      detail: { first, end, reason: verdict.reason },
    });
  };

  const archive: Archiver['archive'] = async (signal) => {
    signal?.throwIfAborted();
    const span = await untilAborted(signal, store.archive.begin(maxLeaves));
    if (span === undefined) return { status: 'idle' };
    const { first, end } = span;
    const contents = await writeEvents(span, signal);
    const folder = await publish(signal);
    const checkpoint = new TextDecoder().decode(await untilAborted(signal, target.read(folder + checkpointPath)));
    const manifest = formatManifest({ format: 'medzen-audit-archive/1', first, end, ...contents, checkpoint });
    signal?.throwIfAborted();
    await endedBy(signal, objects)
      .put(prefix + archivePaths(span).manifest, manifest, {
        contentType: 'application/json',
        contentLength: manifest.length,
        ifExists: 'refuse',
      })
      .catch((error: unknown) => {
        // Of another archiver, under another checkpoint perhaps: it is verified like our own.
        if (!isMedzenError(error) || error.code !== 'conflict') throw error;
      });
    const { status } = await untilAborted(signal, store.archive.finish(span, await verified(span, signal)));
    if (status === 'conflict')
      throw new MedzenError('checkpoint_inconsistent', 'The range was archived with another manifest', {
        detail: { first, end },
      });
    logger.info('a range of the audit log was archived', { first, end });
    return { status: 'archived', first, end };
  };

  const purge: Archiver['purge'] = async ({ years = 6, scope, actor, signal }) => {
    if (!Number.isInteger(years) || years < 6 || years > 100)
      throw new MedzenError('invalid_input', 'Audit events are kept for 6 to 100 years', { pointers: ['/years'] });
    const [purged, held]: [LeafSpan[], LeafSpan[]] = [[], []];
    for await (const row of pagesUntil(signal, rows())) {
      signal?.throwIfAborted();
      if (row.status !== 'archived' || row.manifestSha256 === undefined || !isPast(row.newestAt, years)) continue;
      const { first, end, manifestSha256 } = row;
      if (!equalBytes(await verified(row, signal), manifestSha256))
        throw new MedzenError('checkpoint_inconsistent', 'The manifest of a range is another than was noted', {
          detail: { first, end },
        });
      const event = sealEvent(
        {
          action: 'audit.purge',
          kind: 'delete',
          outcome: 'success',
          tenant: scope.tenant,
          actor,
          source: {},
          target: { type: 'audit_archive', id: `${first}-${end}` },
          detail: { first, end, years, manifestSha256: toHex(manifestSha256) },
        },
        sealing,
      );
      const { status } = await store.archive.purge(scope, { first, end, manifestSha256, years }, event);
      if (status === 'purged') purged.push({ first, end });
      if (status === 'held') held.push({ first, end });
      if (status === 'purged') logger.info('a range of the audit log was purged', { first, end });
    }
    return { purged, held };
  };

  async function* rows(): AsyncGenerator<ArchiveRow> {
    for (let from = 0; ; ) {
      const page = await store.archive.list(from, 100);
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return;
      from = last.end;
    }
  }

  /** A first look by our own clock, which spares reading what is young; the store decides by its own. A day early, so that it may. */
  const isPast = (newestAt: string, years: number): boolean => {
    const until = new Date(newestAt);
    until.setUTCFullYear(until.getUTCFullYear() + years);
    return until.getTime() - dayMs <= clock.now().getTime();
  };

  return { archive, purge };
}

const dayMs = 86_400_000;

function streamOf(chunks: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await chunks.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    cancel: async () => {
      await chunks.return(undefined);
    },
  });
}
