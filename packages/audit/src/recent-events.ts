import type { AuditEvent } from '@medzen/core';
import type { EarlierEvent } from './review-rule.ts';

/** What each actor did lately, within bounds. */
export interface RecentEvents {
  add(event: AuditEvent): void;
  /** Of the same tenant and actor, not longer ago than the window, in the order in which they were added. */
  before(event: AuditEvent, windowMs: number): readonly EarlierEvent[];
}

const perActor = 1000;
const actors = 2000;

/** Forgets an actor's oldest events, and the actors who have done nothing for longest. */
export function recentEvents(): RecentEvents {
  const byActor = new Map<string, EarlierEvent[]>();
  const keyOf = ({ tenant, actor }: AuditEvent): string => JSON.stringify([tenant, actor.type, actor.id]);
  return {
    add: (event) => {
      const key = keyOf(event);
      const list = byActor.get(key) ?? [];
      byActor.delete(key); // and to the end, where it is forgotten last
      byActor.set(key, list);
      list.push(kept(event));
      if (list.length > 2 * perActor) list.splice(0, perActor);
      const oldest = byActor.size > actors ? byActor.keys().next().value : undefined;
      if (oldest !== undefined) byActor.delete(oldest);
    },
    before: (event, windowMs) => {
      const since = Date.parse(event.at) - windowMs;
      return (byActor.get(keyOf(event)) ?? []).slice(-perActor).filter(({ at }) => Date.parse(at) >= since);
    },
  };
}

function kept({ id, at, action, kind, outcome, patient, purpose, target }: AuditEvent): EarlierEvent {
  return {
    ...{ id, at, action, kind, outcome },
    ...(patient === undefined ? {} : { patient }),
    ...(purpose === undefined ? {} : { purpose }),
    ...(target === undefined ? {} : { target }),
  };
}
