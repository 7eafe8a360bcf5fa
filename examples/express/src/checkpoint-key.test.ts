import { describe, expect, it } from 'vitest';
import { createClient } from './demo/client.ts';
import { setStage } from './stage.ts';
import { openTestStage, pglite, postgres } from './test-stage.ts';

describe.each([pglite, postgres])('the key of the log, on $name', { timeout: 120_000 }, (backend) => {
  it('is told from another, which neither verifies nor signs on', async () => {
    const stage = await openTestStage(backend);
    const { people, stores, clock, dir, visits } = stage;
    await stage.begin(stage.appointment());
    const sealed = await stage.client.call('POST', '/jobs/seal', { as: people.scheduler });
    expect(sealed.status).toBe(200);

    const other = await setStage({ stores, clock, dir, visits, checkpointSeed: new Uint8Array(32).fill(8) });
    const client = createClient(other.baseUrl, other.issuer);
    const verdict = await client.call('POST', '/audit/verify', { as: people.auditor });
    expect(verdict.field('ok')).toBe(false);
    expect((verdict.field('findings') as { kind: string }[]).map(({ kind }) => kind)).toContain('wrong_key'); // a list of findings
    // What was signed is remembered beside the database: it is another key's.
    const signed = await client.call('POST', '/jobs/seal', { as: people.scheduler });
    expect([signed.status, signed.field('code')]).toEqual([500, 'invalid_configuration']);
    expect(await stage.sql('SELECT FROM medzen.audit_checkpoint')).toHaveLength(1);

    const again = await stage.client.call('POST', '/audit/verify', { as: people.auditor });
    expect([again.field('ok'), again.field('size')]).toEqual([true, sealed.field('size')]);
    await other.close();
    await stage.close();
  });
});
