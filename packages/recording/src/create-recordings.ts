import {
  createIds,
  isMedzenError,
  MedzenError,
  type ObjectStore,
  type RetentionClass,
  stderrLogger,
  systemClock,
  systemRandom,
  withObjectDeadlines,
} from '@medzen/core';
import { accessRequests } from './access/access-requests.ts';
import { sleep } from './backoff.ts';
import { reconcile } from './capture/reconcile.ts';
import { retryTransfer } from './capture/retry-transfer.ts';
import { consents } from './consent/consents.ts';
import { defaultTimeouts, type Timeouts } from './deadline.ts';
import { deleteRecording } from './deletion/delete-recording.ts';
import { legalHold } from './deletion/legal-hold.ts';
import { ingest } from './ingest.ts';
import { link } from './links.ts';
import { list, status } from './look.ts';
import type { OtherCopy, Recordings, RecordingsDeps } from './recordings.ts';
import { explain } from './retention/explain/explain.ts';
import { noteFact } from './retention/facts/note-fact.ts';
import { keepUntil } from './retention/keep.ts';
import type { Retention } from './retention/retention.ts';
import { defaultRoles } from './roles.ts';
import type { Room } from './room.ts';
import { start } from './start.ts';
import { stop } from './stop.ts';
import { stopWithdrawn } from './stop-withdrawn.ts';
import { type ObjectStores, objectStores } from './storage/object-stores.ts';
import { sweep } from './sweep/sweep.ts';
import type { PlausibilityOptions } from './transfer/plausible.ts';
import { transfer, transferDue } from './transfer.ts';

/**
 * Builds the room from its parts. Nothing is contacted until a method is called.
 *
 * @throws MedzenError `invalid_configuration` when a provider is registered under another name than its own, or one that is too long; when
 * neither a rule nor a policy knows `retentionClass`
 * @example
 * ```ts
 * import { systemClock, type ObjectStore, type Stores } from '@medzen/core';
 * import { createRecordings, createRetention, georgiaPsychologist, retentionRules, twilio } from '@medzen/recording';
 * declare const stores: Stores;
 * declare const objects: ObjectStore;
 * const recordings = createRecordings({
 *   stores,
 *   objects,
 *   providers: { twilio: twilio({ accountSid: 'AC…', authToken: '…' }) },
 *   retention: createRetention({ rules: retentionRules, policies: [georgiaPsychologist] }),
 *   retentionClass: { jurisdiction: 'US-GA', providerClass: 'psychologist', zone: 'America/New_York' },
 *   clock: systemClock,
 * });
 * const report = await recordings.sweep({ tenant: 'default' });
 * report.deleted.length;
 * ```
 */
export function createRecordings(deps: RecordingsDeps): Recordings {
  const room = roomOf(deps);
  return {
    consent: consents(room),
    start: (input, ctx) => start(room, input, ctx),
    stop: (id, ctx) => stop(room, id, ctx),
    stopWithdrawn: (scope, options) => stopWithdrawn(room, scope, options),
    reconcile: (scope, options) => reconcile(room, scope, options),
    status: (id, ctx) => status(room, id, ctx),
    list: (query, ctx) => list(room, query, ctx),
    ingest: (event, scope, source) => ingest(room, event, scope, source),
    transfer: (id, scope) => transfer(room, id, scope),
    transferDue: (scope, options) => transferDue(room, scope, options),
    retryTransfer: (id, ctx, options) => retryTransfer(room, id, ctx, options),
    playbackUrl: (id, ctx, options) => link(room, 'view', id, ctx, options),
    downloadUrl: (id, ctx, options) => link(room, 'download', id, ctx, options),
    explain: (id, ctx) => explain(room, id, ctx),
    keepUntil: (id, keep, ctx) => keepUntil(room, id, keep, ctx),
    noteFact: (fact, ctx) => noteFact(room, fact, ctx),
    delete: (id, request, ctx) => deleteRecording(room, id, request, ctx),
    legalHold: legalHold(room),
    accessRequests: accessRequests(room),
    sweep: (scope, options) => sweep(room, scope, options),
  };
}

function roomOf(deps: RecordingsDeps): Room {
  const { clock = systemClock, random = systemRandom } = deps;
  for (const [name, provider] of Object.entries(deps.providers)) {
    if (provider.name !== name)
      throw new MedzenError('invalid_configuration', `The provider ${provider.name} is registered as ${name}`);
    if (name.length < 1 || name.length > 64)
      throw new MedzenError('invalid_configuration', 'A name of a provider has 1 to 64 characters');
  }
  if (deps.retentionClass !== undefined) checkDefaultClass(deps.retention, deps.retentionClass);
  return {
    stores: deps.stores,
    objects: bounded(objectStores(deps.objects), checkedTimeouts(deps.timeouts)),
    otherCopies: checkedCopies(deps.otherCopies ?? []),
    providers: deps.providers,
    retention: deps.retention,
    notifier: deps.notifier,
    roles: { ...defaultRoles, ...deps.roles },
    consentFrom: deps.consentFrom ?? 'everyone',
    retentionClass: deps.retentionClass,
    timeouts: checkedTimeouts(deps.timeouts),
    plausibility: checkedPlausibility(deps.plausibility),
    clock,
    ids: deps.ids ?? createIds(clock, random),
    random,
    logger: deps.logger ?? stderrLogger,
    sleep: deps.sleep ?? sleep,
  };
}

function checkedTimeouts(given: Timeouts = {}): Required<Timeouts> {
  const timeouts = { ...defaultTimeouts, ...given };
  for (const name of ['providerMs', 'objectsMs', 'stallMs'] as const)
    if (!Number.isInteger(timeouts[name]) || timeouts[name] < 1 || timeouts[name] > 3_600_000)
      throw new MedzenError('invalid_configuration', `timeouts.${name} must be a whole number from 1 to 3600000`);
  return timeouts;
}

function checkedPlausibility(given: PlausibilityOptions = {}): PlausibilityOptions {
  for (const name of ['minCapturedShare', 'minSessionShare'] as const) {
    const share = given[name];
    if (share !== undefined && !(share >= 0 && share <= 1))
      throw new MedzenError('invalid_configuration', `plausibility.${name} must be a number from 0 to 1`);
  }
  return given;
}

/** Better when the service starts than at the first visit. */
function checkDefaultClass(retention: Retention, retentionClass: RetentionClass): void {
  try {
    retention.checkClass(retentionClass);
  } catch (cause) {
    if (!isMedzenError(cause)) throw cause;
    throw new MedzenError('invalid_configuration', cause.message, { cause, detail: cause.detail ?? {} });
  }
}

/** Gives every call of every store a deadline. */
function bounded(stores: ObjectStores, timeouts: Required<Timeouts>): ObjectStores {
  const known = new Map<ObjectStore, ObjectStore>();
  const of = (store: ObjectStore): ObjectStore => {
    const made =
      known.get(store) ?? withObjectDeadlines(store, { callMs: timeouts.objectsMs, stallMs: timeouts.stallMs });
    known.set(store, made);
    return made;
  };
  return {
    first: of(stores.first),
    of: (recording) => {
      const store = stores.of(recording);
      return store === undefined ? undefined : of(store);
    },
  };
}

function checkedCopies(copies: readonly OtherCopy[]): readonly OtherCopy[] {
  for (const { name, keptDays } of copies) {
    if (typeof name !== 'string' || name.length < 1 || name.length > 256)
      throw new MedzenError('invalid_configuration', 'otherCopies.name must have 1 to 256 characters');
    if (keptDays !== undefined && !(Number.isInteger(keptDays) && keptDays >= 0 && keptDays <= 36_500))
      throw new MedzenError('invalid_configuration', 'otherCopies.keptDays must be a whole number from 0 to 36500');
  }
  return [...copies];
}
