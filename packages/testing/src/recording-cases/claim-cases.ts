import type { Claim } from '@medzen/core';
import { at, fail, holds, present, rejects, same } from '../assertions.ts';
import {
  claimedIds,
  define,
  drive,
  due,
  lease,
  minute,
  type RecordingCase,
  type RecordingTools,
  rules,
  states,
} from './recording-driver.ts';

async function transfers(tools: RecordingTools, id?: string): Promise<readonly Claim[]> {
  return tools.stores.recordings.claimTransfers(tools.scope, { ...lease, ...(id === undefined ? {} : { id }) });
}

async function only(tools: RecordingTools, message: string): Promise<Claim> {
  const claims = await transfers(tools);
  holds(claims.length === 1, `${message}: ${claims.length} claims`);
  return at(claims, 0, message);
}

/** Leases, fencing tokens and back-off, shown with transfers. */
export const claimCases: readonly RecordingCase[] = [
  define('claim.uploading_only', 'claims what is uploading, oldest first, and nothing else', async (tools) => {
    const driver = drive(tools);
    const wanted: string[] = [];
    for (const state of states) {
      if (state === 'uploading') continue;
      await driver.inState(state);
      await tools.advance(1000);
      wanted.push((await driver.inState('uploading')).id);
      await tools.advance(1000);
    }
    const { recordings } = tools.stores;
    const first = await recordings.claimTransfers(tools.scope, { limit: 3, leaseMs: 60_000 });
    same(claimedIds(first), wanted.slice(0, 3), 'the oldest three');
    same(claimedIds(await transfers(tools)), wanted.slice(3), 'the rest');
    same(await transfers(tools), [], 'all are claimed');
  }),

  define('claim.shows_row', 'gives the row, a token and the count of attempts', async (tools) => {
    const recording = await drive(tools).inState('uploading');
    const claim = await only(tools, 'claim');
    same(claim.recording, recording, 'row');
    holds(/^\d+$/.test(claim.token), 'the token is no decimal text');
    holds(claim.attempts === 1, `first attempt is number ${claim.attempts}`);
  }),

  define('claim.lease', 'offers a row again when the lease has run out, under a greater token', async (tools) => {
    await drive(tools).inState('uploading');
    const tokens: bigint[] = [];
    for (let attempts = 1; attempts <= 4; attempts++) {
      const claim = await only(tools, `attempt ${attempts}`);
      holds(claim.attempts === attempts, `attempt ${attempts} counts as ${claim.attempts}`);
      holds(
        tokens.every((token) => BigInt(claim.token) > token),
        'a token is not greater than those before',
      );
      tokens.push(BigInt(claim.token));
      await tools.advance(lease.leaseMs - 1);
      same(await transfers(tools), [], 'during the lease');
      await tools.advance(attempts * attempts * minute + 1000);
    }
  }),

  define(
    'claim.back_off',
    'offers a row later each time that was not finished: attempts² minutes after its lease',
    async (tools) => {
      await drive(tools).inState('uploading');
      for (const wait of [1, 4, 9, 16]) {
        await only(tools, `before ${wait} minutes`);
        await tools.advance(lease.leaseMs + wait * minute - 1000);
        same(await transfers(tools), [], `a second before ${wait} minutes`);
        await tools.advance(2000);
      }
    },
  ),

  define('claim.back_off_bound', 'waits a day at most', async (tools) => {
    await drive(tools).inState('uploading');
    for (let attempts = 1; attempts <= 40; attempts++) {
      const claim = await only(tools, `attempt ${attempts}`);
      holds(claim.attempts === attempts, `attempt ${attempts} counts as ${claim.attempts}`);
      await tools.advance(lease.leaseMs + 1440 * minute + 1000);
    }
  }),

  define('claim.rotates', 'offers what failed behind what has waited longer since', async (tools) => {
    const { recordings } = tools.stores;
    const driver = drive(tools);
    const failing = await driver.inState('uploading');
    await tools.advance(1000);
    const behind = await driver.inState('uploading');
    const claimed = async (): Promise<Claim> =>
      at(await recordings.claimTransfers(tools.scope, { ...lease, limit: 1 }), 0, 'claim');
    const first = await claimed();
    same(first.recording.id, failing.id, 'the oldest first');
    await recordings.releaseClaim(tools.scope, failing.id, first.token, 'timeout');
    await tools.advance(1440 * minute);
    const second = await claimed();
    same(second.recording.id, behind.id, 'a day later: the one behind it');
    await recordings.releaseClaim(tools.scope, behind.id, second.token);
    same((await claimed()).recording.id, behind.id, 'what was given back without a failure keeps its place');
    same((await claimed()).recording.id, failing.id, 'then the one that failed');
  }),

  define('claim.by_id', 'claims one by its id, past its back-off but never past its lease', async (tools) => {
    const driver = drive(tools);
    const first = await driver.inState('uploading');
    const second = await driver.inState('uploading');
    same(claimedIds(await transfers(tools, second.id)), [second.id], 'by id');
    same(await transfers(tools, second.id), [], 'during the lease');
    await tools.advance(lease.leaseMs + 1000);
    same(claimedIds(await transfers(tools, second.id)), [second.id], 'during the back-off');
    same(claimedIds(await transfers(tools)), [first.id], 'the other');
    same(await transfers(tools, tools.mine.ids.uuid()), [], 'unknown');
    const processing = await driver.inState('processing');
    same(await transfers(tools, processing.id), [], 'not uploading');
  }),

  define('claim.given_back', 'offers a claim that was given back at once, and forgets the attempt', async (tools) => {
    const recording = await drive(tools).inState('uploading');
    const first = await only(tools, 'first');
    await tools.stores.recordings.releaseClaim(tools.scope, recording.id, first.token);
    const second = await only(tools, 'second');
    holds(second.attempts === 1, `${second.attempts} attempts`);
    holds(BigInt(second.token) > BigInt(first.token), 'the token is not greater');
  }),

  define('claim.failed', 'offers a claim that was given back with a failure later each time', async (tools) => {
    const recording = await drive(tools).inState('uploading');
    for (const attempts of [1, 2, 3]) {
      const claim = await only(tools, `attempt ${attempts}`);
      holds(claim.attempts === attempts, `attempt ${attempts} counts as ${claim.attempts}`);
      await tools.stores.recordings.releaseClaim(tools.scope, recording.id, claim.token, 'provider_unavailable');
      await tools.advance(attempts * attempts * minute - 1000);
      same(await transfers(tools), [], `a second before ${attempts * attempts} minutes`);
      await tools.advance(2000);
    }
  }),

  define('claim.lost_release', 'lets nobody give back a claim that is no longer theirs', async (tools) => {
    const { stores, scope } = tools;
    const recording = await drive(tools).inState('uploading');
    const first = await only(tools, 'first');
    await tools.advance(lease.leaseMs + 2 * minute);
    const second = await only(tools, 'second');
    await stores.recordings.releaseClaim(scope, recording.id, first.token);
    await stores.recordings.releaseClaim(scope, recording.id, first.token, 'late');
    await stores.recordings.releaseClaim(scope, recording.id, '0');
    await stores.recordings.releaseClaim(scope, tools.mine.ids.uuid(), second.token);
    same(await transfers(tools, recording.id), [], 'the second claim was ended by the first worker');
    await stores.recordings.releaseClaim(scope, recording.id, second.token);
    await stores.recordings.releaseClaim(scope, recording.id, second.token);
    const third = await only(tools, 'third');
    holds(third.attempts === 2, `${third.attempts} attempts after one lost and one given back`);
  }),

  define('claim.finished', 'ends the claim with the change, and counts from one after it', async (tools) => {
    const driver = drive(tools);
    const recording = await driver.inState('uploading');
    await only(tools, 'first');
    await tools.advance(lease.leaseMs + 2 * minute);
    const { token } = await only(tools, 'second');
    const failed = await driver.moved(recording, { to: 'failed', token });
    await driver.moved(failed, { to: 'uploading' });
    const again = await only(tools, 'after the retry');
    holds(again.attempts === 1, `${again.attempts} attempts after a finished claim`);
    holds(BigInt(again.token) > BigInt(token), 'the token is not greater');
  }),

  define('claim.purposes', 'counts the attempts of a deletion apart from those of the transfer', async (tools) => {
    const { stores, scope, mine } = tools;
    const driver = drive(tools);
    const recording = await driver.inState('uploading');
    await only(tools, 'first');
    await tools.advance(lease.leaseMs + 2 * minute);
    const { token } = await only(tools, 'second');
    const available = await driver.moved(recording, { to: 'available', object: mine.object(), token });
    await driver.warned(await driver.decided(available));
    const claims = await stores.recordings.claimExpired(scope, due, rules, lease);
    holds(claims.length === 1 && claims[0]?.attempts === 1, 'the transfer counted for the deletion');
  }),

  define('claim.bounds', 'refuses bad limits and leases', async ({ stores, scope }) => {
    for (const wrong of [{ limit: 0 }, { limit: 1001 }, { leaseMs: 999 }, { leaseMs: 3_600_001 }]) {
      const options = { ...lease, ...wrong };
      await rejects(stores.recordings.claimTransfers(scope, options), 'invalid_input', JSON.stringify(wrong));
      await rejects(stores.recordings.claimExpired(scope, due, rules, options), 'invalid_input', JSON.stringify(wrong));
    }
  }),

  define('claim.two_workers', 'gives every row to one of several workers that claim at once', async (tools) => {
    const driver = drive(tools);
    const wanted: string[] = [];
    for (let i = 0; i < 12; i++) wanted.push((await driver.inState('uploading')).id);
    const found: string[] = [];
    for (let round = 0; found.length < 12; round++) {
      if (round > 12) fail('some rows are never offered');
      const claims = await Promise.all(
        Array.from({ length: 4 }, () =>
          tools.stores.recordings.claimTransfers(tools.scope, { limit: 2, leaseMs: 60_000 }),
        ),
      );
      for (const list of claims) found.push(...claimedIds(list));
    }
    same(found.toSorted(), wanted.toSorted(), 'each row once');
  }),

  define(
    'claim.skips_locked',
    'does not wait for a row that another transaction has locked',
    async (tools) => {
      const driver = drive(tools);
      const locked = await driver.inState('uploading');
      const free = await driver.inState('uploading');
      const open = await present(tools.transaction, 'transaction')();
      const inside = await open.stores.recordings.claimTransfers(tools.scope, { ...lease, id: locked.id });
      holds(inside.length === 1, 'not claimed inside');
      same(claimedIds(await transfers(tools)), [free.id], 'what is not locked');
      await open.rollback();
      same(claimedIds(await transfers(tools)), [locked.id], 'after the rollback');
    },
    ['host-transaction', 'concurrency'],
  ),
];
