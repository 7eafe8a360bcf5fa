import type { RetentionFact } from '@medzen/core';
import type { RecordingsDeps, Retention } from '@medzen/recording';
import { type Broken, perWorld, type RecordingPort, withRecordings } from './variant.ts';

/** Facts that were taken although their day has not come, by id. */
const early = perWorld(() => new Map<string, string>());

/** What could go wrong with how long a recording is kept. */
export const brokenRetention: readonly Broken[] = [
  {
    name: 'warning-is-not-waited-for',
    behavior: 'Deletion does not wait until people were told.',
    foundBy: ['no-early-deletion', 'no-early-removal'],
    deps: (deps) => ({ ...deps, notifier: { retentionWarning: async () => undefined } }),
  },
  {
    name: 'unknown-class-is-taken',
    behavior: 'A recording starts with a class that no rule and no policy knows.',
    foundBy: ['decidable'],
    deps: (deps) => ({ ...deps, retention: { ...deps.retention, checkClass: () => undefined } }),
  },
  {
    name: 'later-visit-shortens',
    behavior: 'A visit under a new law ends what the law before it had bound.',
    foundBy: ['no-early-deletion', 'no-early-removal'],
    deps: (deps, world, fiber) => {
      const { retention, replaced } = world.rulesOf(fiber);
      if (replaced === undefined) return deps;
      const evaluate: Retention['evaluate'] = (input, now) => {
        const later = input.facts.some(({ type, date }) => type === 'treatment' && date > replaced.to);
        return (later ? replaced.retention : retention).evaluate(input, now);
      };
      return { ...deps, retention: { ...retention, evaluate } };
    },
  },
  {
    name: 'correction-takes-too-much',
    behavior: 'A fact that takes one treatment back takes every treatment of the patient back.',
    foundBy: ['no-early-deletion', 'no-early-removal'],
    deps: (deps) => reading(deps, (facts) => (facts.some(takesBack) ? facts.filter(isNoTreatment) : facts)),
  },
  {
    name: 'day-to-come-is-taken',
    behavior: 'A fact of the year 9999 is noted.',
    foundBy: ['bounded-facts'],
    deps: (deps, world) => {
      const days = early(world);
      return withRecordings(
        { ...deps, retention: { ...deps.retention, check: () => undefined } },
        {
          // The stores refuse it too, so they are told of another day.
          noteFact:
            (noteFact) =>
            async (...args) => {
              const [scope, fact, event] = args as Parameters<RecordingPort['noteFact']>; // as the port has it
              if (Date.parse(fact.date) < world.scheduler.now() + 3 * 86_400_000) return noteFact(...args);
              days.set(fact.id, fact.date);
              return noteFact(
                scope,
                { ...fact, date: new Date(world.scheduler.now()).toISOString().slice(0, 10) },
                event,
              );
            },
          facts:
            (facts) =>
            async (...args) => {
              const known = (await facts(...args)) as Awaited<ReturnType<RecordingPort['facts']>>; // as the port has it
              const dated = known.facts.map((fact) => ({ ...fact, date: days.get(fact.id) ?? fact.date }));
              return { ...known, facts: dated };
            },
        },
      );
    },
  },
];

function takesBack({ voids }: RetentionFact): boolean {
  return voids !== undefined;
}

function isNoTreatment({ type }: RetentionFact): boolean {
  return type !== 'treatment';
}

/** The same rules, which read other facts. */
function reading(
  deps: RecordingsDeps,
  map: (facts: readonly RetentionFact[]) => readonly RetentionFact[],
): RecordingsDeps {
  const { retention } = deps;
  const evaluate: Retention['evaluate'] = (input, now) =>
    retention.evaluate({ ...input, facts: map(input.facts) }, now);
  return { ...deps, retention: { ...retention, evaluate } };
}
