import { systemClock } from '@medzen/core';
import { openCheckpoint, readTreeHead } from '../checkpoint.ts';
import type { LogFinding } from '../log-finding.ts';
import { tileLog } from '../tile-log.ts';
import { checkpointPath, tilePath } from '../tile-path.ts';
import type { TileSource } from '../tile-storage.ts';
import { followEpochs, type PublishedEpoch } from '../tiles/epochs.ts';
import type { VerifiedRebase } from '../verify/rebases.ts';
import { endedBy, untilAborted } from '../verify/until-aborted.ts';
import { type LogVerdict, verifyLog } from '../verify-log.ts';
import { ofSigners, witnessesAmong } from './signers.ts';
import type { Statement } from './statement.ts';

interface JudgeOptions {
  readonly witnesses: number | undefined;
  readonly origin: string | undefined;
  readonly since: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Judges a log by its static files, over as many rebases as there were: the present origin, and what is left of those before it. */
export async function judgeLog(
  source: TileSource,
  keys: readonly string[],
  options: JudgeOptions,
): Promise<readonly Statement[]> {
  const { signal } = options;
  const epochs: PublishedEpoch[] = [];
  for await (const epoch of followEpochs(endedBy(signal, source))) epochs.push(epoch);
  const present = epochs.pop();
  const { verdict, statements } = await judgeOrigin(present?.source ?? source, keys, options);
  const ended = await Promise.all(epochs.map((epoch) => judgeEnded(epoch, keys, verdict.rebases, signal)));
  return [...statements, ...verdict.rebases.flatMap(wordsForRebase), ...ended.flat()];
}

/** Judges the files of an origin that a rebase has ended: they prove what was lost. */
async function judgeEnded(
  { source, checkpoint }: PublishedEpoch,
  keys: readonly string[],
  rebases: readonly VerifiedRebase[],
  signal: AbortSignal | undefined,
): Promise<readonly Statement[]> {
  const origin = readTreeHead(checkpoint)?.origin ?? '';
  const opened = await openCheckpoint(checkpoint, keys);
  if (!opened.ok && opened.reason === 'unknown_key')
    return [{ is: 'open', text: `what ${origin} had: no key of it was given` }];
  const rebase = rebases.find(({ oldOrigin }) => oldOrigin === origin);
  if (rebase === undefined)
    return [{ is: 'refused', text: `the files of ${origin} are beside the log, which says nothing of it` }];
  const entries = (await untilAborted(signal, hasEntries(source))) ? 'present' : 'absent';
  const verdict = await verifyLog({
    store: tileLog(source, { entries }),
    verifierKeys: keys,
    ...(signal && { signal }),
  });
  if (!verdict.ok)
    return verdict.findings.map((finding) => ({ is: 'refused', text: `${origin}: ${wordsFor(finding)}` }));
  const lost = Math.max(0, verdict.size - rebase.surviving);
  return [
    {
      is: 'proved',
      text: `${origin} signed ${verdict.size} entries before it ended, and their hashes are among the files`,
    },
    ...(lost > 0 && entries === 'present'
      ? [{ is: 'proved', text: `the ${lost} of them that were lost are among the files` } as const]
      : []),
  ];
}

async function judgeOrigin(
  source: TileSource,
  keys: readonly string[],
  options: JudgeOptions,
): Promise<{ readonly verdict: LogVerdict; readonly statements: readonly Statement[] }> {
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
    const statements: readonly Statement[] = [
      ...verdict.findings.map((finding): Statement => ({ is: 'refused', text: wordsFor(finding) })),
      ...(more > 0 ? [{ is: 'refused', text: `${more} more of the kind` } as const] : []),
    ];
    return { verdict, statements };
  }
  const opened = await openCheckpoint(verdict.checkpoint ?? '', keys);
  const signatures = opened.ok ? opened.signatures : [];
  const wanted = options.witnesses ?? witnessesAmong(keys);
  const cosigned = signatures.filter(({ cosignedAt }) => cosignedAt !== undefined).length;
  const earlier = readTreeHead(options.since)?.size;
  const statements: readonly Statement[] = [
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
  return { verdict, statements };
}

/** Describes the leaves that a rebase has cost. */
function wordsForRebase(rebase: VerifiedRebase): readonly Statement[] {
  const { oldOrigin, oldSize, newOrigin, surviving, lost, decidedBy, at, reason, survivors } = rebase;
  const decided =
    decidedBy === undefined
      ? 'the entry that says who decided it is not among the files'
      : `decided by ${decidedBy.name ?? decidedBy.id} at ${at}: ${reason}`;
  return [
    { is: 'lost', text: `${lost} of the ${oldSize} entries of ${oldOrigin}, from entry ${surviving} on; ${decided}` },
    survivors === 'proved'
      ? { is: 'proved', text: `the ${surviving} that ${newOrigin} went on with are the first ones of ${oldOrigin}` }
      : {
          is: 'open',
          text: `that the ${surviving} that ${newOrigin} went on with are the first ones of ${oldOrigin}: its word for it`,
        },
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
    case 'rows_altered':
    case 'rows_missing':
      return `the rows of the bulk write ${finding.eventId} ${finding.kind === 'rows_missing' ? 'are gone' : 'were altered'}`;
    case 'identity_altered':
      return `who is meant by ${finding.pseudonym} was altered`;
    case 'identity_missing':
      return `nobody is known for ${finding.pseudonym}, which entry ${finding.index} names, and no erasure is in the log`;
    case 'identity_restored':
      return `${finding.pseudonym} was erased, and who is meant is there again`;
    case 'event_unsealed':
      return `the event ${finding.eventId} is no entry, and does not wait to become one`;
    case 'leaf_outside':
      return `the event ${finding.eventId} has the place ${finding.index}, outside the log`;
    case 'archive_altered':
      return `what is noted of the archive from entry ${finding.index} on was altered`;
    case 'checkpoint_altered':
      return `the stored checkpoint of ${finding.index} entries, or a cosignature of it, was altered`;
    case 'review_altered':
      return `the review ${finding.id} is not what the log says`;
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
    case 'cosignature_damaged':
      return `a signature line of the ${finding.which} checkpoint is damaged; the log's own holds`;
    case 'wrong_key':
      return `the ${finding.which} checkpoint is by nobody whose key was given, or of another log`;
    case 'size_regressed':
      return `the log has ${finding.size} entries; a checkpoint of ${finding.trustedSize} was given: it was cut, or an old copy was restored`;
    case 'history_rewritten':
      return `the log did not grow out of the checkpoint of ${finding.trustedSize} entries that was given: its past was rewritten`;
    case 'leaves_lost':
      return `${finding.count} of the ${finding.trustedSize} entries that the given checkpoint covers were lost, from entry ${finding.index} on; the log says so`;
    case 'loss_understated':
      return `a checkpoint of ${finding.trustedSize} entries was given, and the log says that there never were more than ${finding.said}: it hides a loss`;
    case 'rebase_invalid':
      return `what the log says of a rebase at entry ${finding.index} does not hold: ${finding.reason}`;
    case 'pending_lost':
      return `${finding.count} events are gone that were not in the tree yet`;
  }
}
