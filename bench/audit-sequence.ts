import { createSequencer, createSigner } from '../packages/audit/src/index.ts';
import { equalBytes } from '../packages/core/src/index.ts';
import { bareRoot, perCpuSecond, plainRoot, referenceLog, sampleEvents } from './audit-log.ts';
import { type Bench, interleave, median, spread } from './row.ts';

const count = 200_000;

/** Sequencing a backlog in batches of 1000 (the default), one signature each, with the store's own cost left out. */
export const bench: Bench = {
  id: 'audit-sequence',
  run: async () => {
    const events = sampleEvents(count);
    const signer = createSigner({ origin: 'bench.example/audit', privateKey: new Uint8Array(32).fill(1) });
    const expected = bareRoot(events);
    const agree = (root: Uint8Array): void => {
      if (!equalBytes(root, expected)) throw new Error('The contestants do not compute the same root');
    };
    const figures = await interleave(
      {
        ours: () =>
          perCpuSecond(count, async () => {
            const store = referenceLog(events);
            const sequencer = createSequencer({ memory: 'unguarded', store, signer });
            for (let status = ''; status !== 'idle'; ) status = (await sequencer.tick()).status;
            agree((await store.head()).root);
          }),
        plain: () => perCpuSecond(count, () => agree(plainRoot(events))),
        limit: () => perCpuSecond(count, () => agree(bareRoot(events))),
      },
      5,
    );
    const ours = figures.ours ?? [];
    return {
      id: 'audit-sequence',
      unit: 'events per CPU-second',
      better: 'higher',
      ours: median(ours),
      peers: { 'bare loop, a hash object a node': median(figures.plain ?? []) },
      limit: median(figures.limit ?? []),
      spread: spread(ours),
    };
  },
};
