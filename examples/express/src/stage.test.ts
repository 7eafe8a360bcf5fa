import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryStores } from '@medzen/adapters-local';
import { systemClock } from '@medzen/core';
import { afterEach, expect, it } from 'vitest';
import { createClient } from './demo/client.ts';
import { people } from './seed.ts';
import { type Stage, setStage } from './stage.ts';

const dir = mkdtempSync(join(tmpdir(), 'medzen-stage-'));
let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  rmSync(dir, { recursive: true, force: true });
});

it('waits on a busy laptop for a limit, longer than production would', async () => {
  const stores = memoryStores();
  const limits = {
    ...stores.limits,
    consume: async (...asked: Parameters<typeof stores.limits.consume>) => {
      await sleep(700);
      return stores.limits.consume(...asked);
    },
  };
  stage = await setStage({ stores: { ...stores, limits }, clock: systemClock, dir });
  const client = createClient(stage.baseUrl, stage.issuer);
  expect((await client.call('POST', '/jobs/stop', { as: people.scheduler })).status).toBe(200);
});
