/** An option of a command: `parseArgs`' own shape and what the help says of it. */
interface OptionHelp {
  readonly type: 'string' | 'boolean';
  /** Placeholder of the value. */
  readonly value?: string;
  readonly help: string;
}

const schema: OptionHelp = { type: 'string', value: '<name>', help: 'name of the schema (medzen)' };
const owner: OptionHelp = {
  type: 'string',
  value: '<role>',
  help: 'role that owns the schema, if another applies the files',
};
const test: OptionHelp = { type: 'boolean', help: 'with the clock that tests move; never in service' };
const json: OptionHelp = { type: 'boolean', help: 'findings as JSON' };
const dir: OptionHelp = {
  type: 'string',
  value: '<dir>',
  help: 'folder of the migrations (supabase/migrations, prisma/migrations, medzen)',
};
const target: OptionHelp = { type: 'string', value: '<tool>', help: 'supabase, prisma or psql' };
const help: OptionHelp = { type: 'boolean', help: 'this text' };

/** A command of the command line. */
export interface CommandHelp {
  readonly summary: string;
  readonly options: Readonly<Record<string, OptionHelp>>;
  readonly notes: readonly string[];
}

/** The commands, by name. */
export const commands: Readonly<Record<'add' | 'print' | 'check' | 'doctor', CommandHelp>> = {
  add: {
    summary: 'write the migrations that a project lacks into its tree; no file that is there is changed',
    options: { target, dir, schema, owner, test, help },
    notes: ['Your tool applies them: supabase db push, prisma migrate deploy, psql -v ON_ERROR_STOP=1 -f <file>.'],
  },
  print: {
    summary: 'print the SQL',
    options: {
      schema,
      owner,
      target,
      test,
      from: { type: 'string', value: '<id>', help: 'from this migration on' },
      only: { type: 'string', value: '<id>', help: 'this migration' },
      object: {
        type: 'string',
        value: '<kind:name>',
        help: 'what makes one function, view, trigger or policy: function:medzen.now',
      },
      rollback: { type: 'boolean', help: 'the scripts that take it back, last first' },
      administrator: { type: 'boolean', help: 'what an administrator runs where the owner may make no roles' },
      help,
    },
    notes: ['Each migration in a transaction of its own, unless --target names a tool that opens one.'],
  },
  check: {
    summary: 'has DATABASE_URL every migration, unaltered? With --dir or --target: has the tree?',
    options: { dir, target, schema, test, json, help },
    notes: ['Read-only. Exit code 0: yes. 1: no. 2: could not look.'],
  },
  doctor: {
    summary: 'look for what is wrong or dangerous in DATABASE_URL, with the remedy of each',
    options: { schema, json, help },
    notes: ['Read-only. Exit code 0: nothing found. 1: findings. 2: could not look. Connect as the owner to see all.'],
  },
};

/** What `medzen-sql --help` says. */
export function overview(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(8)} ${summary}`);
  return ['medzen-sql <command> [options]', '', ...lines, '', 'medzen-sql <command> --help tells the options.'].join(
    '\n',
  );
}

/** What `medzen-sql <command> --help` says. */
export function usageOf(name: keyof typeof commands): string {
  const { summary, options, notes } = commands[name];
  const lines = Object.entries(options).map(
    ([option, { value = '', help: said }]) => `  ${`--${option} ${value}`.padEnd(24)} ${said}`,
  );
  return [`medzen-sql ${name}: ${summary}`, '', ...lines, ...notes.flatMap((note) => ['', note])].join('\n');
}
