import { sealEvent } from '@medzen/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIdCheck } from './event-id.ts';

const text = fc.string({ unit: 'grapheme' });
const draft = {
  action: 'note.view',
  kind: 'read',
  outcome: 'success',
  actor: { id: 'u1', type: 'user' },
  source: {},
} as const;

describe('an id check', () => {
  it('finds the id of any event that can be sealed, and no other, in one walk over many', () => {
    const holdsId = createIdCheck();
    fc.assert(
      fc.property(
        text,
        text,
        fc.dictionary(fc.constantFrom('id', 'a', 'zz'), text),
        fc.uuid(),
        (a, patient, detail, uuid) => {
          const actor = { id: `a${a}`.slice(0, 200).toWellFormed(), type: 'user' } as const;
          const { id, body } = sealEvent({ ...draft, actor, patient, detail, target: { type: 'note', id: uuid } });
          expect(holdsId(body, id)).toBe(true);
          expect(holdsId(body, id)).toBe(true);
          for (const other of [uuid, id.slice(0, -1), `${id}0`, '']) expect(holdsId(body, other)).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('does not find it in a body that is cut off, wherever it was before', () => {
    const { id, body } = sealEvent(draft);
    const member = `,"id":"${id}"`;
    const end = new TextDecoder().decode(body).indexOf(member) + member.length;
    const holdsId = createIdCheck();
    expect(holdsId(body.subarray(0, end), id)).toBe(true);
    for (let length = 0; length < end; length++) {
      expect(holdsId(body.subarray(0, length), id)).toBe(false);
      expect(createIdCheck()(body.subarray(0, length), id)).toBe(false);
    }
  });
});
