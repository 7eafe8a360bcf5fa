import { systemClock } from '@medzen/core';
import { openCheckpoint, readTreeHead } from '../checkpoint.ts';
import type { LogFinding } from '../log-finding.ts';
import { tileLog } from '../tile-log.ts';
import { checkpointPath, tilePath } from '../tile-path.ts';
import type { TileSource } from '../tile-storage.ts';
import { untilAborted } from '../verify/until-aborted.ts';
import { verifyLog } from '../verify-log.ts';
import { ofSigners, witnessesAmong } from './signers.ts';
import type { Statement } from './statement.ts';

/** Judges a log by its static files. */
export async function judgeLog(
  source: TileSource,
  keys: readonly string[],
  options: {
    readonly witnesses: number | undefined;
    readonly origin: string | undefined;
    readonly since: string | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<readonly Statement[]> {
  const { signal } = options;
  const entries = (await untilAborted(signal, hasEntries(source))) ? 'present' : 'absent';
  const verdict = await verifyLog({
    store: tileLog(source, { entries }),
    verifierKeys: keys,
    clock: systemClock,
    ...(signal && { signal }),
    ...(options.origin !== undefined && { origin: options.origin }),
    ...(options.since !== undefined && { checkpoint: options.since }),
  });
  if (!verdict.ok) {
    const more = verdict.total - verdict.findings.length;
    return [
      ...verdict.findings.map((finding): Statement => ({ is: 'refused', text: wordsFor(finding) })),
      ...(more > 0 ? [{ is: 'refused', text: `${more} more of the kind` } as const] : []),
    ];
  }
  const opened = await openCheckpoint(verdict.checkpoint ?? '', keys);
  const signatures = opened.ok ? opened.signatures : [];
  const wanted = options.witnesses ?? witnessesAmong(keys);
  const cosigned = signatures.filter(({ cosignedAt }) => cosignedAt !== undefined).length;
  const earlier = readTreeHead(options.since)?.size;
  return [
    ...ofSigners(verdict.origin ?? '', verdict.size, signatures, keys),
    ...(cosigned < wanted
      ? [{ is: 'refused', text: `${cosigned} of the ${wanted} witnesses asked for have cosigned` } as const]
      : []),
    { is: 'proved', text: 'every stored hash is one that was signed: no tile was changed' },
    entries === 'present'
      ? {
          is: 'proved',
          text: `${verdict.size === 1 ? 'the one entry is the one that was' : `all ${verdict.size} entries are the ones that were`} signed, none is missing`,
        }
      : { is: 'open', text: 'what the entries are: they are not among the files' },
    earlier === undefined
      ? {
          is: 'open',
          text: 'that nothing was cut off or rewritten since an earlier day: no checkpoint was given with --since',
        }
      : { is: 'proved', text: `it grew out of the checkpoint of ${earlier} entries that was given` },
  ];
}

async function hasEntries(source: TileSource): Promise<boolean> {
  const checkpoint = await source.read(checkpointPath);
  const size = checkpoint === undefined ? 0 : (readTreeHead(new TextDecoder().decode(checkpoint))?.size ?? 0);
  const paths = [tilePath('entries', 0, Math.min(size, 256)), tilePath('entries', 0)];
  for (const path of paths) if ((await source.read(path)) !== undefined) return true;
  return false;
}

function wordsFor(finding: LogFinding): string {
  switch (finding.kind) {
    case 'event_altered':
      return `entry ${finding.index}${finding.eventId === '' ? '' : ` (${finding.eventId})`} was altered`;
    case 'event_misfiled':
      return `entry ${finding.index} (${finding.eventId}) is filed as another`;
    case 'event_missing':
      return `${
        finding.count === 1
          ? `entry ${finding.index} is missing`
          : `${finding.count} entries from ${finding.index} on are missing`
      }${finding.purge === undefined ? '' : `; a purge of them is not proved: ${finding.purge}`}`;
    case 'purge_altered':
      return `${finding.count} entries from ${finding.index} on were purged, and the database notes that purge otherwise`;
    case 'range_altered':
      return `one or more of the ${finding.count} entries from ${finding.index} on were altered, and the hashes over them`;
    case 'tile_altered':
      return `the tile ${tilePath(finding.level, finding.index)} is missing or was altered${
        finding.position === undefined ? '' : `, at hash ${finding.position}`
      }`;
    case 'root_mismatch':
      return `the tree over the ${finding.size} entries has another root than was signed`;
    case 'head_altered':
      return 'the head says something else than its checkpoint';
    case 'checkpoint_invalid':
      return `the ${finding.which} checkpoint cannot be opened: ${finding.reason}`;
    case 'wrong_key':
      return `the ${finding.which} checkpoint is by nobody whose key was given, or of another log`;
    case 'size_regressed':
      return `the log has ${finding.size} entries; a checkpoint of ${finding.trustedSize} was given: it was cut, or an old copy was restored`;
    case 'history_rewritten':
      return `the log did not grow out of the checkpoint of ${finding.trustedSize} entries that was given: its past was rewritten`;
    case 'pending_lost':
      return `${finding.count} events are gone that were not in the tree yet`;
  }
}
