import { MedzenError } from '../errors.ts';
import { isUuid } from '../ids.ts';
import type { AuditQuery } from '../ports/audit-store.ts';
import type { Scope } from '../scope.ts';

/** A search as a store carries it out: checked, and with several values wherever several may be given. */
export interface AuditSearch {
  /** 1–1000. */
  readonly limit: number;
  /** Events before this id only: the last one of the page before. */
  readonly before?: string;
  readonly patient?: string;
  readonly actor?: string;
  /** One of these, 1–100. */
  readonly actions?: readonly string[];
  readonly outcomes?: readonly string[];
  readonly purposes?: readonly string[];
  readonly targetType?: string;
  readonly targetId?: string;
  readonly from?: Date;
  readonly to?: Date;
}

/** Characters of a text that is searched for, at most. A longer one stands in no event. */
const maxText = 65_535;
const maxValues = 100;

/**
 * For the author of a store: everything that an `AuditStore` must refuse of a search, whatever it searches in, so that every store gives the same answers.
 * An empty text, a NUL and half a character are refused: some databases cannot hold them, others find what the caller did not mean.
 *
 * @throws MedzenError `invalid_input` with a pointer to what is wrong
 * @example
 * ```ts
 * import { readAuditSearch } from '@medzen/core';
 * readAuditSearch({ tenant: 'default' }, { outcome: ['denied', 'failed'] }).outcomes; // ['denied', 'failed']
 * ```
 */
export function readAuditSearch(scope: Scope, query: AuditQuery): AuditSearch {
  const { limit = 100, cursor, patient, actor, action, outcome, purpose, targetType, targetId, from, to } = query;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) throw wrong('limit', 'limit must be 1 to 1000');
  for (const [name, date] of Object.entries({ from, to }))
    if (date !== undefined && !(date instanceof Date && !Number.isNaN(date.getTime())))
      throw wrong(name, `${name} must be a date`);
  const texts = Object.entries({ patient, actor, targetType, targetId }).flatMap(([name, text]) =>
    text === undefined ? [] : [[name, checked(name, text)] as const],
  );
  const lists = Object.entries({ actions: action, outcomes: outcome, purposes: purpose }).flatMap(([name, values]) =>
    values === undefined ? [] : [[name, listOf(name.slice(0, -1), values)] as const],
  );
  return {
    limit,
    ...(cursor !== undefined && { before: idOf(cursor, scope) }),
    ...Object.fromEntries<string | readonly string[]>([...texts, ...lists]),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  };
}

function listOf(name: string, values: string | readonly string[]): readonly string[] {
  const list: readonly string[] = typeof values === 'string' ? [values] : values;
  if (!Array.isArray(list) || list.length < 1 || list.length > maxValues)
    throw wrong(name, `${name} must be one value, or 1 to ${maxValues}`);
  return [...new Set(list.map((value) => checked(name, value)))];
}

function checked(name: string, text: unknown): string {
  if (typeof text !== 'string' || text === '' || text.length > maxText || text.includes('\0') || !text.isWellFormed())
    throw wrong(
      name,
      `${name} must be a text of 1 to ${maxText} characters, without NUL; leave it out to search without it`,
    );
  return text;
}

function idOf(cursor: unknown, scope: Scope): string {
  const [tenant, id, ...rest] = typeof cursor === 'string' ? cursor.split(':') : [];
  if (tenant === scope.tenant && id !== undefined && isUuid(id) && rest.length === 0) return id;
  throw wrong('cursor', 'cursor must come from an earlier page of this search');
}

function wrong(name: string, message: string): MedzenError {
  return new MedzenError('invalid_input', message, { pointers: [`/${name}`] });
}
