import { type Json, MedzenError, type Review, type ReviewStore, type Wire } from '@medzen/core';
import { callJson, eventArgs, jsonArg } from './call-json.ts';
import { integer, list, oneOf, type Reader, shape, text, verdict } from './read-json.ts';

const detail: Reader<NonNullable<Review['detail']>> = (value, path) => {
  shape({})(value, path);
  return value as { readonly [key: string]: Json }; // an object that was read from jsonb
};

const leafIndex: Reader<number> = (value, path) => integer(Number(text(value, path)), path);

const review: Reader<Review> = shape(
  { id: text, rule: text, eventId: text, leafIndex, at: text, actor: text, queuedAt: text },
  {
    patient: text,
    detail,
    signed: shape({ at: text, by: text, outcome: oneOf('appropriate', 'violation', 'inconclusive') }, { note: text }),
  },
);

/** The review queue, in `medzen.review`. */
export function reviewStore(wire: Wire): ReviewStore {
  return {
    queue: ({ tenant }, findings) =>
      callJson(wire.root, 'queue_reviews', { tenant, findings: jsonArg(findings) }, shape({ queued: integer })),

    async list({ tenant }, query) {
      const limit = query.limit ?? 100;
      if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
        throw new MedzenError('invalid_input', 'limit must be 1 to 1000', { pointers: ['/limit'] });
      const found = await callJson(
        wire,
        'list_reviews',
        {
          tenant,
          limit: limit + 1, // tells whether there is a next page
          state: query.state ?? 'open',
          rule: query.rule ?? null,
          ...(query.cursor === undefined ? {} : placeIn(query.cursor, tenant)),
        },
        list(review),
      );
      const reviews = found.slice(0, limit);
      const last = reviews.at(-1);
      const more = found.length > limit && last !== undefined;
      return { reviews, ...(more ? { cursor: `${tenant}:${last.leafIndex}:${last.id}` } : {}) };
    },

    signOff: ({ tenant }, { id, outcome, note, own }, event) =>
      callJson(
        wire,
        'sign_review',
        { tenant, id, outcome, note: note ?? null, own: own === true, ...eventArgs(event) },
        verdict({ signed: { review }, repeated: { review }, taken: { review }, own: {}, missing: {} }),
      ),
  };
}

function placeIn(cursor: string, of: string): { readonly after: string; readonly after_id: string } {
  const [, tenant, after, id] = /^([a-z0-9_-]+):(\d{1,15}):([0-9a-f]{64})$/.exec(cursor) ?? [];
  if (tenant === of && after !== undefined && id !== undefined) return { after, after_id: id };
  throw new MedzenError('invalid_input', 'cursor must come from an earlier page of this list', {
    pointers: ['/cursor'],
  });
}
