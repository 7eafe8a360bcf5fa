import { isMedzenError, type RetentionFact } from '@medzen/core';
import type { BrokenStore } from '../../broken-store.ts';
import type { RecordingStoreContext } from '../../store-context.ts';
import { brokenRecording } from './recording-fault.ts';

/** Facts without bounds or corrections, floors that give way, holds that are not listed. */
export const brokenRetentions: readonly BrokenStore<RecordingStoreContext>[] = [
  brokenRecording('any_date', 'takes a fact in the year 9999', 'fact.bounds', ({ good, samples }) => ({
    noteFact: async (scope, fact, event) => {
      try {
        return await good.noteFact(scope, fact, event);
      } catch (error) {
        if (!isMedzenError(error) || error.code !== 'invalid_input') throw error;
        return good.noteFact(scope, { ...samples.fact(), patient: fact.patient, id: fact.id }, event);
      }
    },
  })),

  brokenRecording('any_zone', 'takes any word for a zone', 'fact.zones', ({ good }) => ({
    noteFact: async (scope, fact, event) => {
      const known =
        /^[A-Z]\w+(\/[A-Z]\w+)*$/.test(fact.zone) && !fact.zone.startsWith('Mars') && fact.zone !== 'Atlanta';
      return good.noteFact(scope, known ? fact : { ...fact, zone: 'UTC' }, event);
    },
  })),

  brokenRecording('born_late', 'takes a birth after a treatment', 'fact.contradicts', ({ good }) => ({
    noteFact: async (scope, fact, event) => {
      const { facts } = await good.facts(scope, fact.patient);
      const first = facts.map(({ date }) => date).toSorted()[0];
      const early = fact.type === 'birth' && first !== undefined && first < fact.date;
      return good.noteFact(scope, early ? { ...fact, date: first } : fact, event);
    },
  })),

  brokenRecording('removes_void', 'removes the fact that was voided', 'fact.voids', ({ good }) => ({
    facts: async (scope, patient) => {
      const { facts, revision } = await good.facts(scope, patient);
      const gone = new Set(facts.map(({ voids }) => voids));
      return { facts: facts.filter(({ id }) => !gone.has(id)), revision };
    },
  })),

  brokenRecording('voids_anything', "voids another patient's fact", 'fact.voids_own', ({ good }) => ({
    noteFact: async (scope, fact, event) => {
      try {
        return await good.noteFact(scope, fact, event);
      } catch (error) {
        if (!isMedzenError(error) || fact.voids === undefined) throw error;
        const { voids: _, ...rest }: RetentionFact = fact;
        return good.noteFact(scope, rest, event);
      }
    },
  })),

  brokenRecording('shortens_keep', 'moves a floor earlier', 'keep.extended', ({ good }) => ({
    extendKeep: async (scope, id, keep, event) => {
      const answer = await good.extendKeep(scope, id, keep, event);
      return answer.status === 'shorter'
        ? { status: 'extended', recording: { ...answer.recording, keepUntil: keep } }
        : answer;
    },
  })),

  brokenRecording('forgets_keep', 'drops the floor given at the start', 'keep.at_start', ({ good }) => ({
    start: (scope, { keepUntil: _, ...row }, consentOf, event) => good.start(scope, row, consentOf, event),
  })),

  brokenRecording(
    'keeps_decision',
    'leaves the decision made without the floor',
    'keep.drops_decision',
    ({ good }) => ({
      extendKeep: async (scope, id, keep, event) => {
        const before = await good.get(scope, id);
        const answer = await good.extendKeep(scope, id, keep, event);
        if (answer.status === 'extended' && before?.decision !== undefined)
          await good.saveDecision(scope, id, before.decision, event);
        return answer;
      },
    }),
  ),

  brokenRecording('deletes_kept', 'claims what has a floor', 'keep.stands', ({ good, all }) => ({
    claimExpired: async (scope, now, rulesVersion, options) => {
      const kept = (await all(scope)).filter(
        ({ id, keepUntil }) => id === options.id && Date.parse(keepUntil?.until ?? '') > now.getTime(),
      );
      const claims = await good.claimExpired(scope, now, rulesVersion, options);
      return [...claims, ...kept.map((recording) => ({ recording, token: '1', attempts: 1 }))];
    },
  })),

  brokenRecording('removes_kept', 'forgets a floor once it was decided with', 'keep.decided_again', ({ good }) => ({
    noteRemoval: async (scope, id, removal) => {
      const answer = await good.noteRemoval(scope, id, removal);
      const recording = await good.get(scope, id);
      const decided = recording?.decision !== undefined && recording.keepUntil !== undefined;
      return answer.status === 'stale' && decided ? { status: 'noted', recording } : answer;
    },
  })),
  brokenRecording('keeps_too_late', 'takes a floor for what is being deleted', 'keep.too_late', ({ good }) => ({
    extendKeep: async (scope, id, keep, event) => {
      const answer = await good.extendKeep(scope, id, keep, event);
      return answer.status === 'too_late' ? { status: 'extended', recording: answer.recording } : answer;
    },
  })),

  brokenRecording('keeps_not_begun', 'takes no floor for what is being deleted', 'keep.begun', ({ good }) => ({
    extendKeep: async (scope, id, keep, event) => {
      const recording = await good.get(scope, id);
      return recording?.state === 'deleting'
        ? { status: 'too_late', recording }
        : good.extendKeep(scope, id, keep, event);
    },
  })),

  brokenRecording('claims_undecided', 'lists open claims among what no rule decides', 'undecided', ({ good, all }) => ({
    undecided: async (scope, limit) => {
      const { count, recordings } = await good.undecided(scope, limit);
      const claims = (await all(scope)).filter(({ decision }) => decision?.undated === 'claim');
      return { count: count + claims.length, recordings: [...recordings, ...claims].slice(0, limit) };
    },
  })),

  brokenRecording('lists_standing', 'does not list released holds of a tenant', 'holds.filters', ({ good }) => ({
    listHolds: (scope, query) => good.listHolds(scope, { ...query, active: query.active ?? true }),
  })),

  brokenRecording('repeats_holds', 'begins each page of holds at the first', 'holds.pages', ({ good }) => ({
    listHolds: (scope, { cursor: _, ...query }) => good.listHolds(scope, query),
  })),

  brokenRecording('shows_their_holds', "lists another tenant's holds", 'holds.tenant', ({ good, other }) => ({
    listHolds: async (scope, query) => {
      const { holds } = await good.listHolds(other(scope), { ...query, limit: 1000 }).catch(() => ({ holds: [] }));
      const own = await good.listHolds(scope, query);
      return { ...own, holds: [...own.holds, ...holds] };
    },
  })),
];
