import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import type * as Internals from '@prisma/internals';
import type * as Engine from '@prisma/schema-engine-wasm';
import pg from 'pg';

/** What `prisma db pull`, `migrate diff` and `migrate deploy` run on, as WebAssembly: nothing has to be downloaded. */
export interface SchemaEngine {
  /** The schema, with the models of what is in the database. */
  introspect(schema: string, namespaces: readonly string[]): Promise<string>;
  /** The SQL that would make of the database what the schema says; empty when it is so already. */
  drift(schema: string): Promise<string>;
  /** Applies folders of `prisma/migrations`, and writes `_prisma_migrations` as `migrate deploy` does. */
  deploy(migrations: readonly { readonly name: string; readonly sql: string }[]): Promise<readonly string[]>;
}

/** Loaded once: the module has one memory. */
const loaded: Promise<typeof Engine> = load();

const none = { externalTables: [], externalEnums: [] };

/** The engine over one database. */
export async function schemaEngine(connectionString: string, schema?: string): Promise<SchemaEngine> {
  const { SchemaEngine: Engine } = await loaded;
  const at = new URL(connectionString);
  const adapter = new PrismaPg({
    host: at.hostname,
    port: Number(at.port),
    user: at.username,
    database: at.pathname.slice(1),
  });
  readCatalogChars(adapter);
  runWholeScripts(adapter, connectionString);
  const file = { path: 'schema.prisma', content: schema ?? '' };
  const engine = await Engine.new(
    { datamodels: schema === undefined ? undefined : [[file.path, schema]] },
    () => undefined,
    bindMigrationAwareSqlAdapterFactory(adapter),
  );
  return {
    async introspect(content, namespaces) {
      const { schema: pulled } = await engine.introspect({
        schema: { files: [{ ...file, content }] },
        baseDirectoryPath: '.',
        force: false,
        compositeTypeDepth: -1,
        namespaces: [...namespaces],
      });
      return pulled.files.map(({ content: text }) => text).join('\n');
    },
    async drift(content) {
      const { stdout } = await engine.diff({
        from: { tag: 'schemaDatasource', files: [{ ...file, content }], configDir: '.' },
        to: { tag: 'schemaDatamodel', files: [{ ...file, content }] },
        script: true,
        exitCode: null,
        filters: none,
      });
      return stdout ?? '';
    },
    async deploy(migrations) {
      const { appliedMigrationNames } = await engine.applyMigrations({
        migrationsList: {
          baseDir: '/migrations',
          lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
          shadowDbInitScript: '',
          migrationDirectories: migrations.map(({ name, sql }) => ({
            path: name,
            migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
          })),
        },
        filters: none,
      });
      return appliedMigrationNames;
    },
  };
}

/**
 * The adapter refuses the type "char" (18), which the catalog has and the engine asks for: it passes as bpchar (1042), and what the
 * engine is told is the truth.
 */
function readCatalogChars(adapter: PrismaPg): void {
  const ofAdapter = createRequire(createRequire(import.meta.url).resolve('@prisma/adapter-pg'));
  const { prototype } = ofAdapter('pg/lib/result.js') as {
    prototype: { addFields(fields: { name: string; dataTypeID: number }[]): unknown };
  }; // pg's own, without types
  const { addFields } = prototype;
  const chars = new Set<string>();
  prototype.addFields = function (fields) {
    for (const field of fields) {
      if (field.dataTypeID !== 18) continue;
      field.dataTypeID = 1042;
      chars.add(field.name);
    }
    return addFields.call(this, fields);
  };
  const connect = adapter.connect.bind(adapter);
  adapter.connect = async () => {
    const connection = await connect();
    const query = connection.queryRaw.bind(connection);
    connection.queryRaw = async (text) => {
      const { columnTypes, ...answer } = await query(text);
      const types = columnTypes.map((type, i) =>
        chars.has(answer.columnNames[i] ?? '') ? ColumnTypeEnum.Character : type,
      );
      return { ...answer, columnTypes: types };
    };
    return connection;
  };
}

/** The adapter cuts scripts at each semicolon; the engine that Prisma's own command line uses sends them whole, and so does this. */
function runWholeScripts(adapter: PrismaPg, connectionString: string): void {
  const connect = adapter.connect.bind(adapter);
  adapter.connect = async () => {
    const connection = await connect();
    connection.executeScript = async (script) => {
      const client = new pg.Client(connectionString);
      await client.connect();
      await client.query(script).finally(() => client.end());
    };
    return connection;
  };
}

async function load(): Promise<typeof Engine> {
  const name = '@prisma/schema-engine-wasm/schema_engine_bg';
  const script = createRequire(import.meta.url).resolve(name);
  const engine = (await import(name)) as typeof Engine & { __wbg_set_wasm(exports: WebAssembly.Exports): void }; // wasm-bindgen's
  const module = await WebAssembly.compile(await readFile(script.replace(/\.js$/, '.wasm')));
  const { exports } = await WebAssembly.instantiate(module, { './schema_engine_bg.js': { ...engine } });
  engine.__wbg_set_wasm(exports);
  (exports.__wbindgen_start as () => void)(); // wasm-bindgen's own
  return engine;
}

/** As `prisma format` writes it. */
export async function formatPrisma(text: string): Promise<string> {
  const { formatSchema } = createRequire(import.meta.url)('@prisma/internals') as typeof Internals;
  const [[, formatted]] = (await formatSchema({ schemas: [['medzen.prisma', text]] })) as [[string, string]]; // one in, one out
  return formatted;
}
