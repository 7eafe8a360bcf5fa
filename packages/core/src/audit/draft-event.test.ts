import { describe, expect, it } from 'vitest';
import { isMedzenError } from '../errors.ts';
import { draftEvent } from './draft-event.ts';
import { openEvent, sealEvent } from './seal-event.ts';

const ctx = {
  scope: { tenant: 'clinic' },
  actor: { id: 'u1', type: 'user', roles: ['provider', 'admin'], tenant: 'clinic' },
  source: { ip: '192.0.2.7' },
} as const;

describe('draftEvent', () => {
  it('takes who, where and whose house from the context', () => {
    const draft = draftEvent({ action: 'recording.view', kind: 'read', outcome: 'success', patient: 'p1' }, ctx);
    expect(openEvent(sealEvent(draft).body)).toMatchObject({
      tenant: 'clinic',
      actor: { id: 'u1', type: 'user', role: 'provider,admin' },
      source: { ip: '192.0.2.7' },
      purpose: 'TREAT',
    });
  });

  it('claims no purpose of treatment where no patient is concerned', () => {
    expect(draftEvent({ action: 'session.start', kind: 'execute', outcome: 'success' }, ctx)).not.toHaveProperty(
      'purpose',
    );
  });

  it('lets the facts go before the context, except for the tenant', () => {
    const draft = draftEvent(
      {
        action: 'recording.sweep',
        kind: 'execute',
        outcome: 'success',
        actor: { id: 'sweep', type: 'system' },
        purpose: 'HOPERAT',
        reason: 'nightly',
      },
      { ...ctx, purpose: 'BTG', reason: 'other' },
    );
    expect(draft).toMatchObject({
      tenant: 'clinic',
      actor: { id: 'sweep', type: 'system' },
      purpose: 'HOPERAT',
      reason: 'nightly',
    });
  });

  it('cannot be sealed without anybody who did it', () => {
    const draft = draftEvent({ action: 'a.b', kind: 'read', outcome: 'success' }, { scope: { tenant: 'clinic' } });
    expect(() => sealEvent(draft)).toThrowError(expect.toSatisfy(isMedzenError));
  });
});
