import { MedzenError, sha256 } from '@medzen/core';
import { describe, expect, it } from 'vitest';
import type { TickResult } from './sequencer.ts';
import { createTickHandler } from './tick-handler.ts';

const key = 'a secret of the scheduler, and of nobody else';
const root = sha256();
const idle: TickResult = { status: 'idle', sequenced: 0, size: 7, root, cosigned: 0 };
const committed: TickResult = { status: 'committed', sequenced: 3, size: 7, root, checkpoint: '', cosigned: 0 };

/** A handler over a sequencer that answers one thing after the other, and how often it was asked. */
function handlerOver(answers: readonly (TickResult | Error)[], maxTicks?: number) {
  let ticks = 0;
  const tick = async (): Promise<TickResult> => {
    const answer = answers[Math.min(ticks++, answers.length - 1)];
    if (answer === undefined || answer instanceof Error) throw answer;
    return answer;
  };
  const handler = createTickHandler({ sequencer: { tick }, key, ...(maxTicks !== undefined && { maxTicks }) });
  return { handler, count: () => ticks };
}

const request = (authorization: string | undefined = `Bearer ${key}`, method = 'POST'): Request =>
  new Request('https://clinic.example/tick', { method, headers: { Authorization: authorization } });

describe('a tick handler', () => {
  it('ticks until nothing waits, also past another sequencer that was faster', async () => {
    const { handler, count } = handlerOver([committed, { status: 'conflict', sequenced: 0 }, committed, idle]);
    const response = await handler(request());
    expect([response.status, await response.json(), count()]).toEqual([200, { sequenced: 6, size: 7 }, 4]);
  });

  it('ends a request after so many batches', async () => {
    const { handler, count } = handlerOver([committed], 5);
    await handler(request());
    expect(count()).toBe(5);
  });

  it.each([['Bearer wrong'], [''], [key], [`bearer ${key}`], [`Bearer ${key} `.repeat(2)]])(
    'lets nobody in with %j',
    async (authorization) => {
      const { handler, count } = handlerOver([idle]);
      const response = await handler(request(authorization));
      expect([response.status, count()]).toEqual([401, 0]);
    },
  );

  it('takes POST alone', async () => {
    const { handler } = handlerOver([idle]);
    const response = await handler(request(undefined, 'GET'));
    expect([response.status, response.headers.get('Allow')]).toEqual([405, 'POST']);
  });

  it('answers with a problem when the log cannot go on', async () => {
    const down = handlerOver([new MedzenError('store_unavailable', 'down')]);
    expect((await down.handler(request())).status).toBe(503);
    const odd = handlerOver([new Error('secret detail')]);
    const response = await odd.handler(request());
    expect([response.status, await response.text()]).toEqual([500, expect.not.stringContaining('secret')]);
  });

  it('refuses a key that could be guessed', () => {
    expect(() => createTickHandler({ sequencer: { tick: async () => idle }, key: 'short' })).toThrow(/32 characters/);
  });
});
