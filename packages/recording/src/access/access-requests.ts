import {
  type AccessRequest,
  type AccessRequestOutcome,
  type AuditFacts,
  accessRequestDays,
  type CallContext,
  isUuid,
  MedzenError,
  type Recording,
} from '@medzen/core';
import { refuse, witness } from '../audited.ts';
import { hasRole, recordingFor, sameTenant } from '../authorise.ts';
import { checkReason, checkText, checkWhole } from '../check-input.ts';
import { nameBeyondRecall } from '../deletion/legal-hold.ts';
import type { AccessRequestInput, OpenedAccessRequest, Recordings } from '../recordings.ts';
import { about, type Room, seal, timestamp } from '../room.ts';

const dayMs = 86_400_000;
const opening = { action: 'access_request.open', kind: 'create' } as const;
const listing = { action: 'access_request.list', kind: 'read' } as const;

/** Access requests: opened, extended, closed, listed. */
export function accessRequests(room: Room): Recordings['accessRequests'] {
  return {
    open: (input, ctx) => open(room, input, ctx),
    extend: (id, { reason }, ctx) => extend(room, id, reason, ctx),
    close: (id, { outcome }, ctx) => close(room, id, outcome, ctx),
    list: (query, ctx) => list(room, query, ctx),
  };
}

async function open(room: Room, input: AccessRequestInput, ctx: CallContext): Promise<OpenedAccessRequest> {
  sameTenant(ctx);
  if (input.id !== undefined && !isUuid(input.id))
    throw new MedzenError('invalid_input', 'id must be a UUID', { pointers: ['/id'] });
  const requestedBy = input.requestedBy ?? ctx.actor.id;
  checkText(requestedBy, '/requestedBy');
  const receivedAt = receipt(room, input.receivedAt);
  const covered = await target(room, input.target, ctx);
  const request: AccessRequest = {
    id: input.id ?? room.ids.uuid(),
    target: input.target,
    requestedBy,
    receivedAt: receivedAt.toISOString(),
    dueAt: new Date(receivedAt.getTime() + accessRequestDays * dayMs).toISOString(),
    openedBy: ctx.actor.id,
  };
  const detail = { request: request.id, dueAt: request.dueAt };
  const event = seal(room, ctx, { ...opening, outcome: 'success', purpose: 'PATRQT', ...covered, detail });
  const result = await room.stores.recordings.openAccessRequest(ctx.scope, request, event);
  if (result.status === 'opened') {
    await nameBeyondRecall(room, ctx, { ...opening, patient: covered.patient }, result.tooLate, {
      request: request.id,
    });
    return { ...request, tooLate: result.tooLate };
  }
  if (result.status === 'not_found') throw new MedzenError('not_found', 'No such recording');
  return refuse(
    room,
    ctx,
    { ...opening, ...covered },
    new MedzenError('too_late', 'Some of it was deleted already: access can no longer be given', {
      detail: { recordingIds: result.recordingIds },
    }),
  );
}

function receipt(room: Room, given: string | undefined): Date {
  const now = room.clock.now();
  if (given === undefined) return now;
  const at = new Date(given);
  const wellFormed = /^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/.test(given) && !Number.isNaN(at.getTime());
  if (!wellFormed || at > now || at.getTime() < now.getTime() - 3650 * dayMs)
    throw new MedzenError('invalid_input', 'receivedAt must be an RFC 3339 instant of the last ten years', {
      pointers: ['/receivedAt'],
    });
  return at;
}

/** Checks that the caller may open a request: by a role for it, or as the patient of the recording. */
async function target(room: Room, on: AccessRequest['target'], ctx: CallContext): Promise<ReturnType<typeof about>> {
  const allowed = hasRole(ctx, room.roles.accessRequests);
  if ('recordingId' in on === 'patient' in on)
    throw new MedzenError('invalid_input', 'target must be one recording or one patient', { pointers: ['/target'] });
  if ('recordingId' in on) {
    const isPatient = ({ participants }: Recording): boolean =>
      participants.some(({ id, role }) => role === 'patient' && id === ctx.actor.id);
    return about(await recordingFor(room, on.recordingId, ctx, opening, (row) => allowed || isPatient(row)));
  }
  checkText(on.patient, '/target/patient');
  const covered = { patient: on.patient, target: { type: 'patient', id: on.patient } };
  if (!allowed) await refuse(room, ctx, { ...opening, ...covered }, forbidden());
  return covered;
}

function forbidden(): MedzenError {
  return new MedzenError('forbidden', 'Not allowed to handle access requests');
}

/** The request, for those who may handle it, with what its events are about. */
async function handled(
  room: Room,
  id: string,
  ctx: CallContext,
  what: Pick<AuditFacts, 'action' | 'kind'>,
): Promise<{ readonly request: AccessRequest; readonly facts: Pick<AuditFacts, 'patient' | 'target'> }> {
  sameTenant(ctx);
  const target = { type: 'access_request', id };
  if (!hasRole(ctx, room.roles.accessRequests)) await refuse(room, ctx, { ...what, target }, forbidden());
  const found = isUuid(id) ? await room.stores.recordings.accessRequests(ctx.scope, { id }) : { requests: [] };
  const [request] = found.requests;
  if (request === undefined) throw new MedzenError('not_found', 'No such access request');
  const patient =
    'patient' in request.target
      ? request.target.patient
      : (await room.stores.recordings.get(ctx.scope, request.target.recordingId))?.patient;
  return { request, facts: { target, ...(patient === undefined ? {} : { patient }) } };
}

async function extend(room: Room, id: string, reason: string, ctx: CallContext): Promise<AccessRequest> {
  checkReason(reason);
  const what = { action: 'access_request.extend', kind: 'update' } as const;
  const { request, facts } = await handled(room, id, ctx, what);
  const dueAt = new Date(Date.parse(request.receivedAt) + 2 * accessRequestDays * dayMs).toISOString();
  const extension = { at: timestamp(room), by: ctx.actor.id, reason };
  const event = seal(room, ctx, { ...what, outcome: 'success', ...facts, reason, detail: { dueAt } });
  const { status } = await room.stores.recordings.extendAccessRequest(ctx.scope, id, { ...extension, dueAt }, event);
  if (status === 'not_found') throw new MedzenError('not_found', 'No such access request');
  if (status !== 'extended')
    throw new MedzenError('conflict', 'An access request is extended once, and only while it is open');
  return { ...request, dueAt, extension };
}

const outcomes: ReadonlySet<string> = new Set<AccessRequestOutcome>(['provided', 'denied', 'withdrawn']);

async function close(room: Room, id: string, outcome: AccessRequestOutcome, ctx: CallContext): Promise<void> {
  if (!outcomes.has(outcome))
    throw new MedzenError('invalid_input', 'outcome must be provided, denied or withdrawn', { pointers: ['/outcome'] });
  const what = { action: 'access_request.close', kind: 'update' } as const;
  const { facts } = await handled(room, id, ctx, what);
  const closing = { at: timestamp(room), by: ctx.actor.id, outcome };
  const event = seal(room, ctx, { ...what, outcome: 'success', ...facts, detail: { outcome } });
  const { status } = await room.stores.recordings.closeAccessRequest(ctx.scope, id, closing, event);
  if (status === 'not_found') throw new MedzenError('not_found', 'No such access request');
}

async function list(
  room: Room,
  query: Parameters<Recordings['accessRequests']['list']>[0],
  ctx: CallContext,
): ReturnType<Recordings['accessRequests']['list']> {
  sameTenant(ctx);
  const { recordingId, dueBefore, limit, cursor } = query;
  if (limit !== undefined) checkWhole(limit, 1, 200, '/limit');
  const allowed = hasRole(ctx, room.roles.accessRequests);
  let facts: Pick<AuditFacts, 'patient' | 'target'> = {};
  if (recordingId !== undefined) facts = about(await recordingFor(room, recordingId, ctx, listing, () => allowed));
  else if (!allowed) await refuse(room, ctx, listing, forbidden());
  const page = await room.stores.recordings.accessRequests(ctx.scope, {
    ...(recordingId === undefined ? {} : { recordingId }),
    ...(dueBefore === undefined ? {} : { dueBefore }),
    ...(limit === undefined ? {} : { limit }),
    ...(cursor === undefined ? {} : { cursor }),
  });
  const detail = { count: page.requests.length };
  await witness(room, ctx, [{ ...listing, outcome: 'success', ...facts, detail }]);
  return page;
}
