import { memoryStores } from '@medzen/adapters-local';
import { type ErrorCode, MedzenError, type RateLimitStore } from '@medzen/core';
import { fakeClock } from '@medzen/testing';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createGuard, type GuardDeps, limit, origins, publicRoute } from './index.ts';

const secret = 'password=hunter2 patient=Jane https://db.example/?token=abc';
const driver = Object.assign(new Error(`refused: ${secret}`), { code: '42501' });

let lines: string[];
beforeEach(() => {
  lines = [];
  const take = (line: unknown): void => void lines.push(String(line));
  vi.spyOn(console, 'warn').mockImplementation(take);
  vi.spyOn(console, 'error').mockImplementation(take);
});
afterEach(() => void vi.restoreAllMocks());

function failing(code: ErrorCode): RateLimitStore {
  const error = new MedzenError(code, `As the store says: ${code}`, { cause: driver });
  return { consume: () => Promise.reject(error), cleanup: () => Promise.reject(error) };
}

/** A guard as a host makes it that gives no logger. */
async function answerOf(deps: Partial<GuardDeps>, onStoreError: 'closed' | 'local' = 'closed'): Promise<Response> {
  const { secure } = createGuard({
    audit: memoryStores().audit,
    limits: memoryStores().limits,
    clock: fakeClock(),
    ...deps,
  });
  const handler = secure(
    {
      route: 'GET /x',
      cors: origins('https://app.example.com'),
      auth: publicRoute('a test'),
      limits: [limit('all', { rate: 1, per: '1m', by: 'ip', onStoreError })],
    },
    async () => new Response('ok'),
  );
  return handler(new Request('https://api.example.com/x'), { remoteAddress: '192.0.2.7' });
}

test.each(['invalid_configuration', 'migration_missing', 'migration_drift', 'internal'] as const)(
  'a limit store that says %s is no passing trouble: 500, whatever the limit says, and the log has the cause',
  async (code) => {
    for (const how of ['closed', 'local'] as const) {
      const response = await answerOf({ limits: failing(code) }, how);
      expect(response.status).toBe(500);
      expect(await response.json()).toMatchObject({ code });
      expect(response.headers.has('retry-after')).toBe(false);
    }
    expect(lines.join('\n')).toContain(`${code}: As the store says: ${code} < Error 42501`);
    expect(lines.join('\n')).not.toMatch(/hunter2|Jane|token|db\.example/);
  },
);

test.each(['store_unavailable', 'wire_busy'] as const)(
  'a limit store that says %s is: 503, and the log has the cause',
  async (code) => {
    const response = await answerOf({ limits: failing(code) });
    expect(response.status).toBe(503);
    expect(lines.join('\n')).toContain(
      `Limits cannot be checked now < ${code}: As the store says: ${code} < Error 42501`,
    );
    expect(lines.join('\n')).not.toMatch(/hunter2|Jane|token|db\.example/);
  },
);

test('limits that are counted in memory meanwhile say why', async () => {
  expect((await answerOf({ limits: failing('store_unavailable') }, 'local')).status).toBe(200);
  expect(lines.join('\n')).toContain('Limits are counted in memory');
  expect(lines.join('\n')).toContain('Error 42501');
});

test('a denial that could not be audited says why', async () => {
  const audit = {
    ...memoryStores().audit,
    append: () =>
      Promise.reject(new MedzenError('migration_missing', 'The database lacks migration 7', { cause: driver })),
  };
  const { secure } = createGuard({ audit, limits: memoryStores().limits, clock: fakeClock() });
  const route = { route: 'GET /x', cors: origins('https://app.example.com'), auth: publicRoute('a test') } as const;
  const handler = secure(route, async () => {
    throw new MedzenError('forbidden', 'Not allowed');
  });
  expect((await handler(new Request('https://api.example.com/x'))).status).toBe(403);
  expect(lines.join('\n')).toContain('A denial could not be audited');
  expect(lines.join('\n')).toContain('migration_missing: The database lacks migration 7 < Error 42501');
});
