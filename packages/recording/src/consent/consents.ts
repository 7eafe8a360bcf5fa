import {
  type CallContext,
  type ConsentAcknowledgements,
  type ConsentRecord,
  canonicalize,
  isUuid,
  MedzenError,
  sha256,
  toHex,
} from '@medzen/core';
import { refuse, witness } from '../audited.ts';
import { hasRole, sameTenant } from '../authorise.ts';
import { checkText } from '../check-input.ts';
import type { ConsentInput, Recordings, WithdrawInput } from '../recordings.ts';
import { type Room, seal, timestamp } from '../room.ts';
import { stopSession } from '../stop.ts';

/** Consent: given, withdrawn, looked at. */
export function consents(room: Room): Recordings['consent'] {
  return {
    give: async (input, ctx) => {
      checkConsent(input);
      const { participant, record } = await authored(room, input, ctx, 'consent.give');
      if (participant !== ctx.actor.id && input.method !== 'verbal' && input.method !== 'written')
        throw new MedzenError(
          'invalid_input',
          "method must be 'verbal' or 'written' when consenting for someone else",
          { pointers: ['/method'] },
        );
      return save(room, ctx, input, {
        ...record,
        decision: 'given',
        acknowledgements: input.acknowledgements,
        textVersion: input.textVersion,
        textSha256: toHex(sha256(new TextEncoder().encode(input.text))),
        language: input.language,
        method: input.method,
        ...(input.location === undefined ? {} : { location: input.location }),
      });
    },
    withdraw: async (input, ctx) => {
      const { participant, record } = await authored(room, input, ctx, 'consent.withdraw');
      const earlier = (await room.stores.consents.current(ctx.scope, input.sessionId)).find(
        (consent) => consent.participant === participant,
      );
      const saved = await save(room, ctx, input, {
        ...record,
        decision: 'withdrawn',
        acknowledgements: { recording: false, storage: false, access: false, retention: false },
        // What is taken back is the last text agreed to; nothing was shown for taking it back.
        textVersion: earlier?.textVersion ?? 'none',
        textSha256: earlier?.textSha256 ?? toHex(sha256()),
        language: earlier?.language ?? 'und',
        method: participant === ctx.actor.id ? 'click' : 'verbal',
        ...(earlier?.location === undefined ? {} : { location: earlier.location }),
      });
      await stopSession(room, ctx, input.sessionId);
      return saved;
    },
    current: async (sessionId, ctx) => {
      sameTenant(ctx);
      checkText(sessionId, '/sessionId');
      const all = await room.stores.consents.current(ctx.scope, sessionId);
      const wide = hasRole(ctx, room.roles.seeAll) || hasRole(ctx, room.roles.consentForOthers);
      const shown = wide ? all : all.filter(({ participant }) => participant === ctx.actor.id);
      await witness(room, ctx, [
        {
          action: 'consent.view',
          kind: 'read',
          outcome: 'success',
          target: { type: 'session', id: sessionId },
          detail: { count: shown.length },
        },
      ]);
      return shown;
    },
  };
}

type Common = Pick<ConsentRecord, 'id' | 'sessionId' | 'participant' | 'ip' | 'userAgent' | 'at'>;

async function authored(
  room: Room,
  input: WithdrawInput,
  ctx: CallContext,
  action: 'consent.give' | 'consent.withdraw',
): Promise<{ readonly participant: string; readonly record: Common }> {
  sameTenant(ctx);
  checkText(input.sessionId, '/sessionId');
  if (input.participant !== undefined) checkText(input.participant, '/participant');
  if (input.patient !== undefined) checkText(input.patient, '/patient');
  if (input.id !== undefined && !isUuid(input.id))
    throw new MedzenError('invalid_input', 'id must be a UUID', { pointers: ['/id'] });
  const participant = input.participant ?? ctx.actor.id;
  if (participant !== ctx.actor.id && !hasRole(ctx, room.roles.consentForOthers))
    await refuse(
      room,
      ctx,
      { action, kind: 'create', target: { type: 'session', id: input.sessionId } },
      new MedzenError('forbidden', 'Not allowed to give or withdraw consent for another participant'),
    );
  const { ip, userAgent } = ctx.source;
  // A forwarding header handed on as it came, say.
  if (ip !== undefined && ip.length > 64) throw new MedzenError('invalid_input', "The caller's address is none");
  return {
    participant,
    record: {
      id: input.id ?? room.ids.uuid(),
      sessionId: input.sessionId,
      participant,
      ...(ip === undefined ? {} : { ip }),
      ...(userAgent === undefined ? {} : { userAgent: userAgent.slice(0, 512).toWellFormed() }),
      at: timestamp(room),
    },
  };
}

async function save(room: Room, ctx: CallContext, input: WithdrawInput, fresh: ConsentRecord): Promise<ConsentRecord> {
  const record = await sameAsBefore(room, ctx, input, fresh);
  const patient = input.patient ?? (ctx.actor.roles.includes('patient') ? ctx.actor.id : undefined);
  const event = seal(room, ctx, {
    action: record.decision === 'given' ? 'consent.give' : 'consent.withdraw',
    kind: 'create',
    outcome: 'success',
    ...(patient === undefined ? {} : { patient }),
    target: { type: 'session', id: record.sessionId },
    detail: { participant: record.participant, textVersion: record.textVersion, method: record.method },
  });
  await room.stores.consents.record(ctx.scope, record, event);
  return record;
}

/** A retry is made later and perhaps from another address; what was said is the same, so the first record stands. */
async function sameAsBefore(
  room: Room,
  ctx: CallContext,
  input: WithdrawInput,
  fresh: ConsentRecord,
): Promise<ConsentRecord> {
  if (input.id === undefined) return fresh;
  const known = (await room.stores.consents.current(ctx.scope, input.sessionId)).find(({ id }) => id === input.id);
  if (known === undefined || known.participant !== fresh.participant) return fresh;
  const said = ({ at: _at, ip: _ip, userAgent: _userAgent, ...word }: ConsentRecord): string => canonicalize(word);
  return said(known) === said(fresh) ? known : fresh;
}

function checkConsent(input: ConsentInput): void {
  checkText(input.textVersion, '/textVersion');
  checkText(input.language, '/language', 64);
  if (input.location !== undefined) checkText(input.location, '/location', 16);
  if (typeof input.text !== 'string' || input.text === '' || !input.text.isWellFormed())
    throw new MedzenError('invalid_input', 'The text that was shown is missing', { pointers: ['/text'] });
  // Hosts without types reach this too.
  const { recording, storage, access, retention }: Partial<ConsentAcknowledgements> = input.acknowledgements ?? {};
  if (![recording, storage, access, retention].every((answer) => typeof answer === 'boolean'))
    throw new MedzenError('invalid_input', 'Four acknowledgements are needed', { pointers: ['/acknowledgements'] });
  if (!['click', 'written', 'verbal', 'signature'].includes(input.method))
    throw new MedzenError('invalid_input', "method must be 'click', 'written', 'verbal' or 'signature'", {
      pointers: ['/method'],
    });
}
