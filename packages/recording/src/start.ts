import {
  type CallContext,
  type ConsentRecord,
  isUuid,
  MedzenError,
  type NewRecording,
  type Recording,
  type RecordingParticipant,
  type RetentionClass,
} from '@medzen/core';
import { refuse } from './audited.ts';
import { hasRole, sameTenant } from './authorise.ts';
import { beginCapture, resumeCapture } from './capture/begin-capture.ts';
import { storeTime } from './capture/store-time.ts';
import { checkText } from './check-input.ts';
import { type RequiredConsents, requiredConsents } from './consent/required.ts';
import type { StartInput } from './recordings.ts';
import { checkKeep } from './retention/keep.ts';
import { about, type Room, seal } from './room.ts';
import { storageOf } from './storage/object-stores.ts';

const denied = { action: 'recording.start', kind: 'create' } as const;

/** See `Recordings.start`. */
export async function start(room: Room, input: StartInput, ctx: CallContext): Promise<Recording> {
  sameTenant(ctx);
  const row = await newRecording(room, input, ctx);
  await authorise(room, row, ctx);
  await checkProviderRoom(room, row, ctx);
  const said = await room.stores.consents.current(ctx.scope, row.sessionId);
  const needed = requiredConsents(withStatedPlaces(row.participants, said), { from: room.consentFrom });
  const required = [...new Set([...needed.required, ...spokenFor(said, input.absent)])];
  const missing = required.filter((id) => !said.some((consent) => consent.participant === id && inFull(consent)));
  if (missing.length > 0) return refuseConsent(room, ctx, row, needed, missing);
  const event = seal(room, ctx, {
    ...denied,
    outcome: 'success',
    ...about(row),
    detail: {
      session: row.sessionId,
      provider: row.provider,
      participants: row.participants.length,
      ...absentees(input),
    },
  });
  const result = await room.stores.recordings.start(ctx.scope, row, required, event);
  if (result.status === 'consent_required') return refuseConsent(room, ctx, row, needed, result.missing);
  const { recording } = result;
  if (result.status === 'already_recording' && !isRetry(room, recording, row, input))
    return refuse(
      room,
      ctx,
      { ...denied, outcome: 'failed', ...about(recording) },
      new MedzenError('conflict', 'This session is being recorded already', {
        detail: { recordingId: recording.id, state: recording.state },
      }),
    );
  if (recording.state !== 'starting') return recording;
  return result.status === 'started' ? beginCapture(room, ctx, recording) : resumeCapture(room, ctx, recording);
}

async function newRecording(room: Room, input: StartInput, ctx: CallContext): Promise<NewRecording> {
  checkText(input.sessionId, '/sessionId');
  checkText(input.patient, '/patient');
  checkText(input.providerRef, '/providerRef');
  if (input.id !== undefined && !isUuid(input.id))
    throw new MedzenError('invalid_input', 'id must be a UUID', { pointers: ['/id'] });
  if (!Object.hasOwn(room.providers, input.provider))
    throw new MedzenError('invalid_input', 'No such provider is configured', { pointers: ['/provider'] });
  checkParticipants(input);
  const retentionClass: RetentionClass | undefined = input.retentionClass ?? room.retentionClass;
  if (retentionClass === undefined)
    throw new MedzenError('invalid_input', 'A retention class is needed', { pointers: ['/retentionClass'] });
  for (const member of ['jurisdiction', 'providerClass', 'zone'] as const)
    checkText(retentionClass[member], `/retentionClass/${member}`, 64);
  const id = input.id ?? room.ids.uuid();
  const startedAt = await storeTime(room);
  // Refused now: a class that no rule and no policy knows would be kept for ever, without a reason shown.
  room.retention.checkClass(retentionClass);
  return {
    id,
    sessionId: input.sessionId,
    patient: input.patient,
    participants: input.participants,
    provider: input.provider,
    providerRef: input.providerRef,
    startedAt,
    objectPrefix: objectPrefix(ctx.scope.tenant, startedAt, id),
    retentionClass,
    ...(input.keepUntil === undefined ? {} : { keepUntil: checkKeep(input.keepUntil, room.clock.now()) }),
    storage: storageOf(room.objects.first),
    ...providerAccount(room, input),
  };
}

function providerAccount(room: Room, { provider }: StartInput): { readonly providerAccount?: string } {
  const account = room.providers[provider]?.account;
  return account === undefined ? {} : { providerAccount: account };
}

/** No PHI, and a slash at the end: what lies under one id can never lie under another. */
export function objectPrefix(tenant: string, startedAt: string, id: string): string {
  return `${tenant}/${startedAt.slice(0, 4)}/${startedAt.slice(5, 7)}/${id}/`;
}

/**
 * Subjects whose consent counts besides those whom the law asks: those who withdrew consent and those who gave it in
 * full, so that the store sees when they withdraw it before the start commits.
 */
function spokenFor(said: readonly ConsentRecord[], absent: readonly string[] = []): readonly string[] {
  return said
    .filter((consent) => (consent.decision === 'withdrawn' || inFull(consent)) && !absent.includes(consent.participant))
    .map(({ participant }) => participant);
}

function absentees({ absent = [] }: StartInput): { readonly absent?: readonly string[] } {
  return absent.length === 0 ? {} : { absent: [...absent] };
}

function checkParticipants({ participants, patient, absent = [] }: StartInput): void {
  const wrong = (message: string): never => {
    throw new MedzenError('invalid_input', message, { pointers: ['/participants'] });
  };
  if (participants.length < 1 || participants.length > 100) wrong('A recording has 1 to 100 participants');
  for (const { id, role, location } of participants) {
    checkText(id, '/participants');
    if (!['patient', 'provider', 'guest'].includes(role))
      wrong("participants[].role must be 'patient', 'provider' or 'guest'");
    if (location !== undefined) checkText(location, '/participants', 16);
  }
  if (new Set(participants.map(({ id }) => id)).size !== participants.length) wrong('A participant is listed twice');
  if (absent.length > 100 || absent.some((id) => participants.some((one) => one.id === id)))
    throw new MedzenError('invalid_input', 'absent must not include a participant', { pointers: ['/absent'] });
  for (const id of absent) checkText(id, '/absent');
  if (!participants.some(({ id, role }) => role === 'patient' && id === patient))
    wrong('The patient is not among them');
}

async function authorise(room: Room, row: NewRecording, ctx: CallContext): Promise<void> {
  const { record, seeAll } = room.roles;
  const inside = row.participants.some(({ id }) => id === ctx.actor.id) || hasRole(ctx, seeAll);
  if (hasRole(ctx, record) && inside) return;
  await refuse(
    room,
    ctx,
    { ...denied, ...about(row) },
    new MedzenError('forbidden', 'Not allowed to record this session'),
  );
}

function inFull({ decision, acknowledgements }: ConsentRecord): boolean {
  const { recording, storage, access, retention } = acknowledgements;
  return decision === 'given' && recording && storage && access && retention;
}

/** Adds the places that participants name: where they differ from the host's, the law of both is asked. */
function withStatedPlaces(
  participants: readonly RecordingParticipant[],
  said: readonly ConsentRecord[],
): readonly RecordingParticipant[] {
  return participants.flatMap((participant) => {
    const location = said.find((consent) => consent.participant === participant.id)?.location;
    if (location === undefined) return [participant];
    const stated = { ...participant, location };
    return participant.location === undefined ? [stated] : [participant, stated];
  });
}

function refuseConsent(
  room: Room,
  ctx: CallContext,
  row: NewRecording,
  needed: RequiredConsents,
  missing: readonly string[],
): Promise<never> {
  const who = missing.map((id) => ({ id, role: row.participants.find((one) => one.id === id)?.role ?? 'guest' }));
  const citations = needed.basis.map(({ citation }) => citation);
  return refuse(
    room,
    ctx,
    { ...denied, ...about(row), detail: { missing: who, rule: needed.rule } },
    new MedzenError('consent_required', 'Consent is missing; see detail.missing', {
      detail: { missing: who, rule: needed.rule, citations, explanation: needed.explanation },
    }),
  );
}

/** Media is made of a provider's room as a whole: one that held somebody else's session would carry it along. */
async function checkProviderRoom(room: Room, row: NewRecording, ctx: CallContext): Promise<void> {
  const before = await room.stores.recordings.findByProviderRef(ctx.scope, row.provider, row.providerRef);
  if (before === undefined || (before.sessionId === row.sessionId && before.patient === row.patient)) return;
  await refuse(
    room,
    ctx,
    { ...denied, outcome: 'failed', ...about(row) },
    new MedzenError('conflict', 'This room of the provider was used for another session or patient'),
  );
}

/**
 * True when the same start is asked again: for the same recording, or, by a caller who names no id, for one whose start
 * was not answered in time. A caller who names the id of a running recording with other participants asks for something
 * else, and learns nothing of it.
 */
function isRetry(room: Room, recording: Recording, row: NewRecording, input: StartInput): boolean {
  const content = ({ sessionId, patient, provider, providerRef, participants }: NewRecording | Recording): string => {
    const people = participants.map((one) => [one.id, one.role, one.location]);
    return JSON.stringify([sessionId, patient, provider, providerRef, people]);
  };
  const unanswered =
    recording.state === 'starting' &&
    Date.parse(row.startedAt) - Date.parse(recording.startedAt) > room.timeouts.providerMs;
  const meant = recording.id === row.id || (input.id === undefined && unanswered);
  return meant && content(recording) === content(row);
}
