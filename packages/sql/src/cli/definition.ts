import type { Migration } from '../migration.ts';
import { splitStatements, withoutComments } from './statements.ts';

/**
 * The statement that makes one object as the migrations leave it: the last that creates it. Functions and views are written so that they
 * replace what is there and keep its grants.
 *
 * @param kind - `function`, `view`, `trigger`, `index` or `policy`
 * @param name - with the schema, `medzen.now`; of a trigger or policy with the table, `medzen.consent.refuse_change`
 * @returns undefined when no statement says it as such: it is made in a loop, or there is no such thing
 */
export function definitionOf(migrations: readonly Migration[], kind: string, name: string): string | undefined {
  const pattern = patternOf(kind, name);
  if (pattern === undefined) return undefined;
  const found = migrations
    .flatMap(({ sql }) => splitStatements(sql))
    .map(withoutComments)
    .findLast((statement) => pattern.test(statement));
  return found?.replace(/^CREATE (FUNCTION|VIEW)/, 'CREATE OR REPLACE $1').concat(';');
}

function patternOf(kind: string, name: string): RegExp | undefined {
  const escaped = name.replace(/[^a-z0-9_.]/gi, '').replaceAll('.', '\\.');
  const dot = escaped.lastIndexOf('\\.');
  const [table, own] = [escaped.slice(0, dot), escaped.slice(dot + 2)];
  switch (kind) {
    case 'function':
    case 'view':
      return new RegExp(`^CREATE (?:OR REPLACE )?${kind.toUpperCase()} ${escaped}\\b(?!\\.)`);
    case 'trigger':
      return new RegExp(`^CREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER ${own}\\s[^$]*?\\sON ${table}\\s`);
    case 'index':
      return new RegExp(`^CREATE (?:UNIQUE )?INDEX ${own}\\s+ON ${table}\\s`);
    case 'policy':
      return new RegExp(`^CREATE POLICY ${own}\\s+ON ${table}\\s`);
    default:
      return undefined;
  }
}
