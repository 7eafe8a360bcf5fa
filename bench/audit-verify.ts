import { createSequencer, createSigner, verifyLog } from '../packages/audit/src/index.ts';
import { equalBytes } from '../packages/core/src/index.ts';
import { bareRoot, perCpuSecond, plainRoot, referenceLog, sampleEvents } from './audit-log.ts';
import { type Bench, interleave, median, spread } from './row.ts';

const count = 200_000;

/** Verification of a whole log: every event against its tile, the tiles against the root, the root against the signature. */
export const bench: Bench = {
  id: 'audit-verify',
  run: async () => {
    const events = sampleEvents(count);
    const signer = createSigner({ origin: 'bench.example/audit', privateKey: new Uint8Array(32).fill(1) });
    const store = referenceLog(events);
    const sequencer = createSequencer({ memory: 'unguarded', store, signer, batchSize: 10_000 });
    for (let status = ''; status !== 'idle'; ) status = (await sequencer.tick()).status;
    const { root, checkpoint = '' } = await store.head();
    const agree = (found: Uint8Array): void => {
      if (!equalBytes(found, root)) throw new Error('The contestants do not compute the same root');
    };
    const figures = await interleave(
      {
        ours: () =>
          perCpuSecond(count, async () => {
            const verdict = await verifyLog({ store, verifierKeys: [signer.verifierKey], checkpoint });
            if (!verdict.ok) throw new Error('The log does not verify');
            agree(verdict.root);
          }),
        plain: () => perCpuSecond(count, () => agree(plainRoot(events))),
        limit: () => perCpuSecond(count, () => agree(bareRoot(events))),
      },
      5,
    );
    const ours = figures.ours ?? [];
    return {
      id: 'audit-verify',
      unit: 'leaves per CPU-second',
      better: 'higher',
      ours: median(ours),
      peers: { 'bare loop, a hash object a node': median(figures.plain ?? []) },
      limit: median(figures.limit ?? []),
      spread: spread(ours),
    };
  },
};
