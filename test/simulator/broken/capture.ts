import { type Claim, type ConsentRecord, MedzenError, openEvent, type Recording, sealEvent } from '@medzen/core';
import {
  type Broken,
  perWorld,
  type RecordingPort,
  withConsents,
  withProviders,
  withRecordings,
  withRows,
} from './variant.ts';

/** Recordings whose start was under way when consent was taken back. */
const overlooked = perWorld(() => new Set<string>());

/** What could go wrong from the start to the media at home. */
export const brokenCaptures: readonly Broken[] = [
  {
    name: 'nothing-stored-is-believed',
    behavior: 'A provider that was not asked counts as one that says that nothing was captured.',
    foundBy: ['no-early-removal', 'true-failure', 'settled', 'known-capture'],
    deps: (deps) => withProviders(deps, { look: () => async () => ({ status: 'none', sessionOpen: false }) }),
  },
  {
    name: 'never-asks',
    behavior: 'A lost callback is waited for.',
    foundBy: ['settled'],
    deps: (deps) => withRecordings(deps, { claimReconciliations: () => async () => [] }),
  },
  {
    name: 'unknown-start-has-failed',
    behavior: 'A start without an answer counts as one that was refused.',
    foundBy: ['known-capture', 'withdrawal-ends-capture', 'settled', 'stop-once'],
    deps: (deps) =>
      withProviders(deps, {
        start:
          (start) =>
          async (...args) => {
            try {
              return await start(...args);
            } catch {
              throw new MedzenError('not_available', 'Nothing was begun');
            }
          },
        look: () => async () => ({ status: 'unknown' }),
      }),
  },
  {
    name: 'withdrawal-ignores-starting',
    behavior: 'A consent that is taken back while a start is under way stops only what is known to run.',
    foundBy: ['withdrawal-ends-capture'],
    deps: (deps, world) => {
      const ignored = overlooked(world);
      const consents = withConsents(deps, {
        record:
          (record) =>
          async (...args) => {
            const result = await record(...args);
            const [, { decision, sessionId }] = args as [unknown, ConsentRecord]; // as the port has it
            for (const { id, row } of world.truth.recordings.values())
              if (decision === 'withdrawn' && row.sessionId === sessionId && row.state === 'starting') ignored.add(id);
            return result;
          },
      });
      const rows = withRows(consents, (row) => {
        const { stopRequest, ...rest } = row;
        return ignored.has(row.id) ? rest : row;
      });
      return withRecordings(rows, {
        claimStops:
          (claimStops) =>
          async (...args) =>
            ((await claimStops(...args)) as readonly Claim[]).filter(({ recording }) => !ignored.has(recording.id)),
        // A session's own recordings are looked for in order to stop them.
        list:
          (list) =>
          async (...args) => {
            const page = (await list(...args)) as Awaited<ReturnType<RecordingPort['list']>>;
            return { ...page, recordings: page.recordings.filter(({ state }) => state !== 'starting') };
          },
      });
    },
  },
  {
    name: 'any-media-is-taken',
    behavior: 'An error page, or media that is cut or far too short, becomes available.',
    foundBy: ['home-is-whole'],
    deps: (deps) =>
      withRecordings(deps, {
        claimTransfers:
          (claimTransfers) =>
          async (...args) =>
            ((await claimTransfers(...args)) as readonly Claim[]).map((claim) => ({
              ...claim,
              recording: accepted(claim.recording),
            })),
      }),
  },
  {
    name: 'end-is-not-a-stop',
    behavior: 'A capture that ends by itself is not said to have been stopped.',
    foundBy: ['stop-once'],
    deps: (deps) =>
      withRecordings(deps, {
        change:
          (change) =>
          async (...args) => {
            const [scope, id, changed, event] = args as Parameters<RecordingPort['change']>; // as the port has it
            const { v: _v, id: _id, at: _at, nonce: _nonce, ...draft } = openEvent(event.body);
            if (draft.action !== 'recording.stop' || draft.actor.type === 'user') return change(...args);
            return change(scope, id, changed, sealEvent({ ...draft, action: 'recording.ingest' }, deps));
          },
      }),
  },
  {
    name: 'lease-is-not-renewed',
    behavior: 'A lease ends while its worker is still at work.',
    foundBy: ['one-worker'],
    deps: (deps) => withRecordings(deps, { renewClaim: () => async () => true }),
  },
  {
    name: 'no-deadlines',
    behavior: 'A call that is never answered is waited for.',
    foundBy: ['verbs-end'],
    withoutDeadlines: true,
  },
  {
    name: 'clock-is-believed',
    behavior: "The application's clock is believed, whatever the store and the provider say.",
    foundBy: ['no-early-deletion', 'no-early-removal'],
    deps: (deps) =>
      withProviders(withRecordings(deps, { clock: () => async () => deps.clock?.now() ?? new Date(0) }), {
        look:
          (look) =>
          async (...args) => {
            const answer = await look(...args);
            return typeof answer === 'object' ? { ...answer, startedAt: undefined, endedAt: undefined } : answer;
          },
      }),
  },
];

/** As if a person had looked at the media and taken it. */
function accepted(row: Recording): Recording {
  return row.media === undefined ? row : { ...row, media: { ...row.media, acceptedBy: 'nobody' } };
}
