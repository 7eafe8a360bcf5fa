import { firstLookMs, type RecordingState } from '@medzen/core';
import { at, holds, rejects, same } from '../assertions.ts';
import {
  claimedIds,
  define,
  drive,
  minute,
  type RecordingCase,
  type RecordingTools,
  states,
} from './recording-driver.ts';

const options = { limit: 100, leaseMs: 60_000 } as const;
const due = ({ stores, scope }: RecordingTools) => stores.recordings.claimReconciliations(scope, options);
const askedAbout: readonly RecordingState[] = states.filter((state) => firstLookMs[state] !== undefined);

/** `claimReconciliations`, `releaseReconciliation`, `renewClaim`. */
export const reconciliationCases: readonly RecordingCase[] = [
  define(
    'look.first',
    'offers each state for the first time when firstLookMs says, and others never',
    async (tools) => {
      const driver = drive(tools);
      const ids = new Map<string, RecordingState>();
      for (const state of states) ids.set((await driver.inState(state)).id, state);
      let before = -1;
      for (const ms of [...new Set(askedAbout.map((state) => firstLookMs[state] ?? 0))].toSorted((a, b) => a - b)) {
        await tools.advance(ms - 1 - Math.max(before, 0));
        same(claimedIds(await due(tools)), [], `a millisecond before ${ms}`);
        await tools.advance(1);
        const expected = askedAbout.filter((state) => firstLookMs[state] === ms);
        const claims = await due(tools);
        same(claims.map(({ recording }) => ids.get(recording.id)).toSorted(), expected.toSorted(), `after ${ms} ms`);
        for (const { recording, token } of claims)
          await tools.stores.recordings.releaseReconciliation(tools.scope, recording.id, token, null);
        before = ms;
      }
      await tools.advance(365 * 24 * 60 * minute);
      same(claimedIds(await due(tools)), [], 'no other state');
    },
  ),

  define('look.failed', 'asks about a failed recording only while it has neither media nor object', async (tools) => {
    const driver = drive(tools);
    const media = { ref: 'CJ1', contentType: 'video/mp4' };
    await driver.moved(await driver.started(), { to: 'failed', media });
    const waiting = await driver.moved(await driver.started(), { media });
    await driver.moved(waiting, { to: 'failed' });
    await driver.moved(await driver.started(), { to: 'failed', object: tools.mine.object() });
    const empty = await driver.inState('failed');
    await tools.advance(minute);
    same(claimedIds(await due(tools)), [empty.id], 'what failed with nothing');
  }),

  define('look.rotates', 'offers the longest due first, and what was asked about behind all others', async (tools) => {
    const { stores, scope, advance } = tools;
    const driver = drive(tools);
    const made: string[] = [];
    for (let i = 0; i < 5; i++) {
      made.push((await driver.started()).id);
      await advance(1000);
    }
    await advance(minute);
    const next = async () => {
      const claims = await stores.recordings.claimReconciliations(scope, { limit: 2, leaseMs: 1000 });
      for (const { recording, token } of claims)
        await stores.recordings.releaseReconciliation(scope, recording.id, token, 1);
      await advance(1000);
      return claimedIds(claims);
    };
    same([...(await next()), ...(await next()), ...(await next())], [...made, at(made, 0, 'first')], 'a whole round');
  }),

  define('look.once', 'gives each to one of several workers, and again at the end of a lease', async (tools) => {
    const { stores, scope, advance } = tools;
    const driver = drive(tools);
    const made = [await driver.started(), await driver.started(), await driver.started()];
    await advance(minute);
    const claims = (await Promise.all([due(tools), due(tools), due(tools)])).flat();
    same(claimedIds(claims).toSorted(), made.map(({ id }) => id).toSorted(), 'each once');
    const { id } = at(made, 0, 'recording');
    same(await stores.recordings.claimReconciliations(scope, { ...options, id }), [], 'by id, while it is leased');
    await advance(options.leaseMs);
    const again = await due(tools);
    same(again.length, 3, 'after the lease');
    for (const claim of again) {
      const first = claims.find(({ recording }) => recording.id === claim.recording.id);
      same([first?.attempts, claim.attempts], [1, 2], 'attempts');
      holds(BigInt(claim.token) > BigInt(first?.token ?? '0'), 'a token that is not greater');
      await stores.recordings.releaseReconciliation(scope, claim.recording.id, first?.token ?? '', null);
    }
    await advance(options.leaseMs);
    same((await due(tools)).length, 3, 'a lost lease was released');
  }),

  define(
    'look.release',
    'offers it again after the seconds that were said, by id at once, or not any more',
    async (tools) => {
      const { stores, scope, advance } = tools;
      const driver = drive(tools);
      const { id } = await driver.started();
      await advance(minute);
      const first = at(await due(tools), 0, 'claim');
      for (const seconds of [0, 1.5, -1, 31_536_001])
        await rejects(
          stores.recordings.releaseReconciliation(scope, id, first.token, seconds),
          'invalid_input',
          `${seconds} seconds`,
        );
      await stores.recordings.releaseReconciliation(scope, id, first.token, 90);
      await advance(89_999);
      same(await due(tools), [], 'too early');
      const byId = at(await stores.recordings.claimReconciliations(scope, { ...options, id }), 0, 'by id');
      same(byId.attempts, 2, 'attempts');
      await stores.recordings.releaseReconciliation(scope, id, byId.token, 90);
      await advance(90_000);
      const last = at(await due(tools), 0, 'due');
      await stores.recordings.releaseReconciliation(scope, id, last.token, null);
      await advance(365 * 24 * 60 * minute);
      same(await due(tools), [], 'not any more');
      same(await stores.recordings.claimReconciliations(scope, { ...options, id }), [], 'not by id either');
    },
  ),

  define('look.moved', 'begins anew after a move, whoever was asking', async (tools) => {
    const { stores, scope, advance } = tools;
    const driver = drive(tools);
    const recording = await driver.started();
    await advance(minute);
    const { token } = at(await due(tools), 0, 'claim');
    const noted = await driver.moved(recording, { endedAt: tools.clock.now().toISOString() });
    await stores.recordings.releaseReconciliation(scope, recording.id, token, 3600);
    await advance(minute);
    same(await due(tools), [], 'a change without a move keeps the claim');
    const moved = await driver.moved(noted, { to: 'processing' });
    await advance(minute);
    const next = at(await due(tools), 0, 'a minute after the move');
    same(next.attempts, 1, 'attempts since the move');
    await driver.moved(moved, { to: 'uploading' });
    await stores.recordings.releaseReconciliation(scope, recording.id, next.token, 1);
    await advance(1000);
    same(await due(tools), [], 'a release of before the move');
  }),

  define('look.apart', 'keeps neither a stop nor a transfer waiting', async (tools) => {
    const { stores, scope, advance } = tools;
    const driver = drive(tools);
    const running = await driver.started();
    const uploading = await driver.inState('uploading');
    await driver.withdrawn(running);
    await advance(7 * 24 * 60 * minute);
    same(claimedIds(await due(tools)).toSorted(), [running.id, uploading.id].toSorted(), 'both asked about');
    same(claimedIds(await stores.recordings.claimStops(scope, options)), [running.id], 'stopped meanwhile');
    same(claimedIds(await stores.recordings.claimTransfers(scope, options)), [uploading.id], 'transferred meanwhile');
    await advance(options.leaseMs);
    same((await due(tools)).length, 2, 'asked about while claimed for something else');
  }),

  define('renew', 'lengthens a lease as often as asked, until somebody else has claimed the row', async (tools) => {
    const { stores, scope, advance } = tools;
    const { recordings } = stores;
    const { id } = await drive(tools).inState('uploading');
    const claim = () => recordings.claimTransfers(scope, { limit: 1, leaseMs: 60_000 });
    const mine = at(await claim(), 0, 'claim');
    for (let round = 0; round < 3; round++) {
      await advance(59_000);
      holds(await recordings.renewClaim(scope, id, mine.token, 60_000), 'not renewed');
      same(await recordings.claimTransfers(scope, { limit: 1, leaseMs: 60_000, id }), [], 'claimed although renewed');
    }
    await rejects(recordings.renewClaim(scope, id, mine.token, 999), 'invalid_input', 'a lease that is too short');
    await advance(60_000);
    holds(await recordings.renewClaim(scope, id, mine.token, 1000), 'ran out, but nobody took it');
    await advance(1000);
    const theirs = at(await recordings.claimTransfers(scope, { limit: 1, leaseMs: 60_000, id }), 0, 'another worker');
    holds(!(await recordings.renewClaim(scope, id, mine.token, 60_000)), 'a lost claim was renewed');
    await advance(30_000);
    same(await claim(), [], 'the other one’s lease was cut');
    await recordings.releaseClaim(scope, id, theirs.token);
    holds(!(await recordings.renewClaim(scope, id, theirs.token, 60_000)), 'a claim given back was renewed');
    holds(!(await recordings.renewClaim(scope, 'none', theirs.token, 60_000)), 'no such recording');
  }),
];
