import {
  type Clock,
  type ErasableKind,
  MedzenError,
  openEvent,
  type Review,
  type ReviewFinding,
  type ReviewStore,
} from '@medzen/core';
import type { EventTable } from './memory-audit.ts';
import type { IdentityTable } from './memory-identities.ts';

interface Row {
  readonly tenant: string;
  readonly signEvent?: string;
  readonly review: Review;
}

/** The queue in memory, with pseudonyms where the log has them. @param events - where the events of sign-offs go */
export function memoryReviews(events: EventTable, clock: Clock, identities: IdentityTable): ReviewStore {
  const rows = new Map<string, Row>();
  const keyOf = (tenant: string, id: string): string => `${tenant}:${id}`;
  const now = (): string => clock.now().toISOString();
  /** The pseudonym, where there is one; a finding may already hold it. */
  const asStored = (tenant: string, kind: ErasableKind, text: string): string =>
    identities.keysOf(tenant, kind, text).at(-1) ?? text;
  const shown = ({ tenant, review }: Row): Review => {
    const { actor, patient, signed, ...rest } = structuredClone(review);
    return {
      ...rest,
      actor: identities.reveal(tenant, actor),
      ...(patient === undefined ? {} : { patient: identities.reveal(tenant, patient) }),
      ...(signed === undefined ? {} : { signed: { ...signed, by: identities.reveal(tenant, signed.by) } }),
    };
  };

  return {
    queue: async ({ tenant }, findings) => {
      if (findings.length < 1 || findings.length > 1000 || !findings.every(isFinding))
        throw new MedzenError('invalid_input', 'findings must hold 1 to 1000 valid findings');
      let queued = 0;
      for (const finding of findings) {
        const key = keyOf(tenant, finding.id);
        if (rows.has(key)) continue;
        const stored = {
          ...structuredClone(finding),
          actor: asStored(tenant, 'user', finding.actor),
          ...(finding.patient === undefined ? {} : { patient: asStored(tenant, 'patient', finding.patient) }),
        };
        rows.set(key, { tenant, review: { ...stored, queuedAt: now() } });
        queued++;
      }
      return { queued };
    },

    list: async ({ tenant }, query) => {
      const { state = 'open', rule, limit = 100, cursor } = query;
      if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
        throw new MedzenError('invalid_input', 'limit must be 1 to 1000', { pointers: ['/limit'] });
      const after = cursor === undefined ? undefined : placeIn(cursor, tenant);
      const found = [...rows.values()]
        .filter((row) => row.tenant === tenant && (rule === undefined || row.review.rule === rule))
        .filter(({ review }) => state === 'all' || (state === 'signed') === (review.signed !== undefined))
        .filter(({ review }) => after === undefined || compare(review, after) > 0)
        .sort((a, b) => compare(a.review, b.review));
      const reviews = found.slice(0, limit).map(shown);
      const last = reviews.at(-1);
      const more = found.length > limit && last !== undefined;
      return { reviews, ...(more ? { cursor: `${tenant}:${last.leafIndex}:${last.id}` } : {}) };
    },

    signOff: async (scope, { id, outcome, note, own }, event) => {
      const { actor, target } = openEvent(event.body);
      if (target?.type !== 'review' || target.id !== id)
        throw new MedzenError('invalid_input', 'The event is about something else than this review');
      if ((note?.length ?? 0) > 2048 || !['appropriate', 'violation', 'inconclusive'].includes(outcome))
        throw new MedzenError(
          'invalid_input',
          "outcome must be 'appropriate', 'violation' or 'inconclusive', and note at most 2048 characters",
        );
      const row = rows.get(keyOf(scope.tenant, id));
      if (row === undefined) return { status: 'missing' };
      if (row.review.signed !== undefined)
        return {
          status: row.signEvent === event.id ? 'repeated' : 'taken',
          review: shown(row),
        };
      if (actor.id === identities.reveal(row.tenant, row.review.actor) && own !== true) return { status: 'own' };
      events.plan(scope, [event])();
      const by = asStored(scope.tenant, 'user', actor.id);
      const signed = { at: now(), by, outcome, ...(note === undefined ? {} : { note }) };
      const next = { ...row, signEvent: event.id, review: { ...row.review, signed } };
      rows.set(keyOf(scope.tenant, id), next);
      return { status: 'signed', review: shown(next) };
    },
  };
}

function compare(a: Pick<Review, 'leafIndex' | 'id'>, b: Pick<Review, 'leafIndex' | 'id'>): number {
  return a.leafIndex - b.leafIndex || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

function isFinding({ id, leafIndex, at, actor, rule }: ReviewFinding): boolean {
  return (
    /^[0-9a-f]{64}$/.test(id) &&
    Number.isSafeInteger(leafIndex) &&
    leafIndex >= 0 &&
    !Number.isNaN(Date.parse(at)) &&
    typeof actor === 'string' &&
    typeof rule === 'string'
  );
}

function placeIn(cursor: string, of: string): Pick<Review, 'leafIndex' | 'id'> {
  const [, tenant, leaf, id] = /^([a-z0-9_-]+):(\d{1,15}):([0-9a-f]{64})$/.exec(cursor) ?? [];
  if (tenant === of && leaf !== undefined && id !== undefined) return { leafIndex: Number(leaf), id };
  throw new MedzenError('invalid_input', 'cursor must come from an earlier page of this list', {
    pointers: ['/cursor'],
  });
}
