import type { LegalHold } from '@medzen/core';
import { present, rejects, same, status } from '../assertions.ts';
import { define, drive, idsOf, type RecordingCase, type RecordingTools } from './recording-driver.ts';

/** Places a hold, at a minute of its own. */
async function placed(
  tools: RecordingTools,
  minute: number,
  target: LegalHold['target'],
  given: Partial<LegalHold> = {},
): Promise<LegalHold> {
  const placedAt = `2026-01-02T03:${String(minute).padStart(2, '0')}:00.000Z`;
  const hold = tools.mine.hold(target, { placedAt, ...given });
  status(await tools.stores.recordings.placeHold(tools.scope, hold, tools.mine.event()), 'placed', 'hold');
  return hold;
}

/** The holds of a tenant. */
export const holdListCases: readonly RecordingCase[] = [
  define('holds.filters', 'lists by patient, matter and whether they stand, the latest first', async (tools) => {
    const { stores, scope, mine, clock } = tools;
    const driver = drive(tools);
    const recording = await driver.inState('available', { patient: 'p' });
    const other = await driver.inState('available', { patient: 'q' });
    const onRecording = await placed(tools, 1, { recordingId: recording.id }, { matter: 'a' });
    const onPatient = await placed(tools, 2, { patient: 'p' }, { matter: 'b' });
    const released = await placed(tools, 3, { recordingId: other.id }, { matter: 'a' });
    const at = clock.now().toISOString();
    await stores.recordings.releaseHold(scope, released.id, 'counsel-2', at, mine.event());
    const list = async (query: Parameters<typeof stores.recordings.listHolds>[1]) =>
      idsOf((await stores.recordings.listHolds(scope, query)).holds);
    const ended = { ...released, releasedBy: 'counsel-2', releasedAt: at };
    same((await stores.recordings.listHolds(scope, {})).holds, [ended, onPatient, onRecording], 'all');
    same(await list({ active: true }), idsOf([onPatient, onRecording]), 'those that stand');
    same(await list({ active: false }), [released.id], 'those that were released');
    same(await list({ patient: 'p' }), idsOf([onPatient, onRecording]), 'of a patient and of its recordings');
    same(await list({ patient: 'q' }), [released.id], 'of another patient');
    same(await list({ matter: 'a' }), idsOf([released, onRecording]), 'of a matter');
    same(await list({ matter: 'a', active: true, patient: 'p' }), [onRecording.id], 'all filters at once');
    same(await list({ matter: '%' }), [], 'no pattern');
  }),

  define('holds.pages', 'goes through all of them by page, none twice', async (tools) => {
    const { stores, scope } = tools;
    const all: LegalHold[] = [];
    for (let i = 0; i < 7; i++) all.unshift(await placed(tools, Math.floor(i / 2), { patient: `p${i}` }));
    const wanted = all
      .toSorted((a, b) => (`${a.placedAt}/${a.id}` < `${b.placedAt}/${b.id}` ? 1 : -1))
      .map(({ id }) => id);
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await stores.recordings.listHolds(scope, { limit: 3, ...(cursor === undefined ? {} : { cursor }) });
      found.push(...idsOf(page.holds));
      cursor = page.cursor;
    } while (cursor !== undefined && found.length < 20);
    same(found, wanted, 'pages');
    for (const limit of [0, 1001, 1.5])
      await rejects(stores.recordings.listHolds(scope, { limit }), 'invalid_input', `a limit of ${limit}`);
  }),

  define('holds.tenant', "shows no other tenant's holds, nor takes its cursor", async (tools) => {
    const { stores, scope, otherScope, theirs } = tools;
    for (const minute of [1, 2]) await placed(tools, minute, { patient: 'p' });
    const foreign = theirs.hold({ patient: 'p' });
    status(await stores.recordings.placeHold(otherScope, foreign, theirs.event()), 'placed', 'theirs');
    same(await stores.recordings.listHolds(otherScope, { patient: 'p' }), { holds: [foreign] }, 'their list');
    const { cursor } = await stores.recordings.listHolds(scope, { limit: 1 });
    const mine = present(cursor, 'cursor');
    await rejects(stores.recordings.listHolds(otherScope, { cursor: mine }), 'invalid_input', 'a foreign cursor');
    for (const wrong of ['', 'x', `${scope.tenant}:`, `${scope.tenant}:2026/x`])
      await rejects(stores.recordings.listHolds(scope, { cursor: wrong }), 'invalid_input', 'no cursor');
  }),
];
