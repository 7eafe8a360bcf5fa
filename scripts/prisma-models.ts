/**
 * Writes packages/sql/prisma/medzen.prisma: the tables as models for a host's Prisma schema, pulled from a real server by Prisma's own
 * engine, so that no later migration can be forgotten. `--check` writes nothing and fails when the file is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { formatPrisma, schemaEngine } from '../packages/adapters-prisma/src/schema-engine.fixture.ts';
import { installSql } from '../packages/sql/src/index.ts';
import { startPostgres } from '../test/start-postgres.ts';

const header = `// Medzen's tables, for the folder of a multi-file Prisma schema. Written by scripts/prisma-models.ts; do not edit.
//
// The library needs none of this: its calls are functions. Take the file if you read these tables with Prisma, or if "medzen" stands in
// your datasource's \`schemas\` (then \`prisma migrate dev\` would otherwise drop what it does not know):
//
//   datasource db {
//     provider = "postgresql"
//     schemas  = ["public", "medzen"]
//   }
//
// To read is all that they are for. The database refuses to change most of them, and what changes past the library's functions leaves
// no event. Reading them is reading PHI: your login needs SELECT of its own, row-level security applies, and nothing is recorded
// unless you say so with \`auditedModels\`. What is marked @@ignore is machinery: known to migrations, absent from the client.
//
// Prisma has no words for partitions, row-level security, triggers, functions, CHECK constraints and some indexes. It leaves them
// alone, and they are not in here. Columns of the type xid8 are Unsupported, and not in the client either.
`;

/** What a host may have a use for. All else, also tables of the future, is not in the client. */
const visible: ReadonlySet<string> = new Set([
  'audit_event',
  'consent',
  'consent_session',
  'legal_hold',
  'recording',
  'recording_participant',
  'retention_fact',
  'retention_subject',
  'retention_warning',
]);

const frame = `generator client {
  provider = "prisma-client"
  output   = "./client"
}

datasource db {
  provider = "postgresql"
  schemas  = ["medzen"]
}
`;

async function write(): Promise<string> {
  const server = await startPostgres();
  const client = new pg.Client(server.url);
  try {
    await client.connect();
    await installSql(client);
    const engine = await schemaEngine(server.url, frame);
    return `${header}\n${await formatPrisma(toModels(await engine.introspect(frame, ['medzen'])))}`;
  } finally {
    await client.end();
    await server.stop();
  }
}

/** Names as Prisma's users write them, with a prefix that no model of the host's has. */
function toModels(pulled: string): string {
  const blocks = [...pulled.matchAll(/^model (\w+) \{\n([^}]*)^\}/gm)].map(([, table = '', body = '']) => ({
    table,
    body,
  }));
  const tables = new Set(blocks.map(({ table }) => table));
  return blocks
    .map(({ table, body }) => {
      const lines = body.split('\n').flatMap((line) => {
        const text = line.trim();
        if (text === '' || text === '@@ignore') return [];
        if (text.startsWith('@@')) return blockAttribute(text);
        return field(text, tables, visible.has(table));
      });
      const ignored = visible.has(table) ? [] : ['@@ignore'];
      return `model ${modelName(table)} {\n${[...lines, `@@map("${table}")`, ...ignored].join('\n')}\n}\n`;
    })
    .join('\n');
}

function field(text: string, tables: ReadonlySet<string>, inClient: boolean): string {
  const [, name = '', type = '', suffix = '', rest = ''] =
    /^(\w+)\s+(\w+(?:\("[^"]*"\))?)(\?|\[\])?\s*(.*)$/.exec(text) ?? [];
  if (tables.has(type)) {
    const ignored = inClient && !visible.has(type) ? ' @ignore' : '';
    return `${camel(name)} ${modelName(type)}${suffix} ${rest.replace(/\[([^\]]*)\]/g, (_, names: string) => `[${camel(names)}]`)}${ignored}`;
  }
  const mapped = camel(name) === name ? '' : ` @map("${name}")`;
  return `${camel(name)} ${type}${suffix} ${rest}${mapped}`;
}

/** Partial indexes are left out: Prisma 6 and 7 do not see them, unless a preview feature is on. */
function blockAttribute(text: string): readonly string[] {
  if (text.includes('where: raw(')) return [];
  return [text.replace(/\[([^\]]*)\]/, (_, names: string) => `[${camel(names)}]`)];
}

function modelName(table: string): string {
  return `Medzen${camel(`_${table}`)}`;
}

function camel(text: string): string {
  return text.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

const path: string = join(import.meta.dirname, '..', 'packages', 'sql', 'prisma', 'medzen.prisma');
const text: string = await write();
if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  console.error(`Stale; run node scripts/prisma-models.ts:\n${path}`);
  process.exitCode = 1;
}
