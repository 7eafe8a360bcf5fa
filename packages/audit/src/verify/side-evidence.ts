import { type LogLeaf, type LogStore, openStoredEvent, pseudonymPattern } from '@medzen/core';
import type { LogFinding } from '../log-finding.ts';
import { untilAborted } from './until-aborted.ts';

/** Evidence beside the log: the rows of bulk writes, identities, and everything that no leaf accounts for. */
export interface SideEvidence {
  /** A leaf's event, and what its store says does not hold beside it. */
  leaf(leaf: LogLeaf & { readonly body: Uint8Array }): void;
  /**
   * Says what was found, once every leaf was seen, and looks for strays where the store can.
   *
   * @param absences - what is missing, as it was found: a purge that is not believed need not be told twice
   */
  finish(store: Partial<Pick<LogStore, 'readStrays'>>, absences: readonly LogFinding[]): Promise<void>;
}

/** Rows that a store looks at in one call. */
const atOnce = 5000;
/** Pseudonyms for which nobody is known that are remembered while their erasure may come; further ones are told at once. */
const mostUnknown = 1_000_000;

const eraseStart = new TextEncoder().encode('{"action":"identity.erase",');

/** Makes the collection. Memory grows with the number of erased identities, not with the log. */
export function createSideEvidence(options: {
  readonly report: (finding: LogFinding) => void;
  readonly signal: AbortSignal | undefined;
}): SideEvidence {
  const { report, signal } = options;
  const unknown = new Map<string, Extract<LogFinding, { kind: 'identity_missing' }>>();
  const erased = new Set<string>();
  return {
    leaf: ({ index, eventId, body, rows, unknown: pseudonyms = [] }) => {
      if (rows !== undefined) report({ kind: rows === 'missing' ? 'rows_missing' : 'rows_altered', eventId, index });
      if (pseudonyms.length > 0) {
        const tenant = openStoredEvent(body)?.tenant ?? '';
        for (const pseudonym of pseudonyms) {
          const key = `${tenant} ${pseudonym}`;
          if (unknown.has(key) || erased.has(key)) continue;
          const finding = { kind: 'identity_missing', tenant, pseudonym, index, eventId } as const;
          if (unknown.size < mostUnknown) unknown.set(key, finding);
          else report(finding);
        }
      }
      if (eraseStart.every((byte, at) => body[at] === byte))
        for (const key of erasedBy(body)) {
          erased.add(key);
          unknown.delete(key);
        }
    },
    finish: async (store, absences) => {
      for (const finding of unknown.values()) report(finding);
      if (store.readStrays === undefined) return;
      for (let after: string | undefined; ; ) {
        signal?.throwIfAborted();
        const { strays, next } = await untilAborted(signal, store.readStrays(after, atOnce));
        for (const stray of strays) if (!isTold(stray, absences)) report(findingOf(stray));
        if (next === undefined) return;
        after = next;
      }
    },
  };
}

/** The pseudonyms that an event says it erased, each behind its tenant. */
function erasedBy(body: Uint8Array): readonly string[] {
  const event = openStoredEvent(body);
  if (event?.action !== 'identity.erase' || event.outcome !== 'success' || event.target?.type !== 'identity') return [];
  const others = event.detail?.pseudonyms;
  return [event.target.id, ...(Array.isArray(others) ? others : [])]
    .filter((text): text is string => typeof text === 'string' && pseudonymPattern.test(text))
    .map((pseudonym) => `${event.tenant ?? ''} ${pseudonym}`);
}

/** True when a row of the archive is about events that are already reported as missing, or whose purge is. */
function isTold(stray: StrayRow, absences: readonly LogFinding[]): boolean {
  if (stray.kind !== 'archive') return false;
  const place = Number(stray.index);
  return absences.some(
    (finding) =>
      (finding.kind === 'purge_altered' || finding.kind === 'event_missing') &&
      finding.index <= place &&
      place < finding.index + finding.count,
  );
}

type StrayRow = Awaited<ReturnType<LogStore['readStrays']>>['strays'][number];

function findingOf(stray: StrayRow): LogFinding {
  switch (stray.kind) {
    case 'event':
      return { kind: 'event_unsealed', eventId: stray.eventId };
    case 'leaf':
      return { kind: 'leaf_outside', index: stray.index, eventId: stray.eventId };
    case 'rows':
      return { kind: 'rows_altered', eventId: stray.eventId };
    case 'identity':
      return { kind: 'identity_altered', tenant: stray.tenant, pseudonym: stray.pseudonym };
    case 'restored':
      return { kind: 'identity_restored', tenant: stray.tenant, pseudonym: stray.pseudonym };
    case 'review':
      return { kind: 'review_altered', tenant: stray.tenant, id: stray.id };
    case 'archive':
      return { kind: 'archive_altered', index: stray.index };
    case 'checkpoint':
      return { kind: 'checkpoint_altered', index: stray.index };
  }
}
