import {
  type AuditContext,
  type AuditFacts,
  type CallContext,
  type Clock,
  draftEvent,
  type Ids,
  type Logger,
  MedzenError,
  type Random,
  type Recording,
  type RetentionClass,
  type Scope,
  type SealedEvent,
  type Stores,
  sealEvent,
} from '@medzen/core';
import type { Timeouts } from './deadline.ts';
import type { Notifier } from './notifier.ts';
import type { Provider } from './provider.ts';
import type { OtherCopy } from './recordings.ts';
import type { Retention } from './retention/retention.ts';
import type { RecordingRoles } from './roles.ts';
import type { ObjectStores } from './storage/object-stores.ts';
import type { PlausibilityOptions } from './transfer/plausible.ts';

/** The parts of the room, with every default filled in. Passed to each verb; holds no state. */
export interface Room {
  readonly stores: Pick<Stores, 'recordings' | 'consents' | 'audit'>;
  readonly objects: ObjectStores;
  readonly otherCopies: readonly OtherCopy[];
  readonly providers: Readonly<Record<string, Provider>>;
  readonly retention: Retention;
  readonly notifier: Notifier | undefined;
  readonly roles: RecordingRoles;
  readonly consentFrom: 'everyone' | 'law';
  readonly retentionClass: RetentionClass | undefined;
  readonly timeouts: Required<Timeouts>;
  readonly plausibility: PlausibilityOptions;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly logger: Logger;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** Dependencies of sealing an event. */
export type Sealer = Pick<Room, 'clock' | 'ids' | 'random'>;

/** Seals one event with the room's clock, ids and randomness. */
export function seal(room: Sealer, ctx: AuditContext, facts: AuditFacts): SealedEvent {
  return sealEvent(draftEvent(facts, ctx), { clock: room.clock, ids: room.ids, random: room.random });
}

/** The members that every event about a recording has. */
export function about(recording: Pick<Recording, 'id' | 'patient'>): Pick<AuditFacts, 'patient' | 'target'> {
  return { patient: recording.patient, target: { type: 'recording', id: recording.id } };
}

/** Returns the media duration reported by the provider, for the detail of audit events. */
export function duration({ durationSeconds }: Pick<Recording, 'durationSeconds'>): {
  readonly durationSeconds?: number;
} {
  return durationSeconds === undefined ? {} : { durationSeconds };
}

/** Present time as stored: RFC 3339 UTC, milliseconds. */
export function timestamp(room: Pick<Room, 'clock'>): string {
  return room.clock.now().toISOString();
}

/** @throws MedzenError `invalid_configuration` when the recording's provider is no longer registered */
export function providerOf(room: Pick<Room, 'providers'>, recording: Recording): Provider {
  const provider = Object.hasOwn(room.providers, recording.provider) ? room.providers[recording.provider] : undefined;
  if (provider === undefined)
    throw new MedzenError('invalid_configuration', 'The provider of a recording is not configured');
  return provider;
}

/** Makes the context of a service actor: a provider callback or a worker. */
export function actingAs(scope: Scope, id: string, type: 'service' | 'system'): CallContext {
  return { scope, actor: { id, type, roles: [], tenant: scope.tenant }, source: {} };
}
