import { parseArgs } from 'node:util';

/** What is asked of the command. */
export interface VerifyArguments {
  /** A folder, a URL, `s3://bucket/prefix`, or a file of evidence. */
  readonly what: string;
  readonly keys: readonly string[];
  readonly keyFiles: readonly string[];
  readonly witnesses: number | undefined;
  /** The first line of the log's checkpoints, where its key has another name. */
  readonly origin: string | undefined;
  /** Path of a checkpoint held elsewhere. */
  readonly since: string | undefined;
  /** Path of the event's bytes, which evidence must be of. */
  readonly event: string | undefined;
  readonly json: boolean;
}

export const usage = `Verifies an audit log, or evidence of one event, with a key alone. No database is needed.

  medzen-verify --key <verifier key> <folder | https://… | s3://bucket/prefix | file.tlog-proof>

  --key <text>        a verifier key of the log, or of a witness; may be repeated
  --keys <file>       a file of such keys, one a line
  --witnesses <n>     how many of the given witnesses must have cosigned (all of them)
  --origin <text>     the log's name, the first line of its checkpoints, where its key has another
  --since <file>      a checkpoint kept from earlier: the log must have grown out of it
  --event <file>      the event's bytes: the evidence must be of this event
  --json              the same as JSON
  --help, --version

Exit code: 0 proved, 1 refused: it does not hold, 2 could not look.`;

/** Reads the arguments. @throws Error with a sentence that says what is wrong with them */
export function readArguments(argv: readonly string[]): VerifyArguments | 'help' | 'version' {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      key: { type: 'string', multiple: true, default: [] },
      keys: { type: 'string', multiple: true, default: [] },
      witnesses: { type: 'string' },
      origin: { type: 'string' },
      since: { type: 'string' },
      event: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      version: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  if (values.version) return 'version';
  const [what, ...more] = positionals;
  if (what === undefined || more.length > 0) throw new Error('Say one thing to verify: a folder, a URL or a file');
  if (values.key.length + values.keys.length === 0) throw new Error('Give the log’s verifier key with --key or --keys');
  const witnesses = values.witnesses === undefined ? undefined : Number(values.witnesses);
  if (witnesses !== undefined && !(Number.isInteger(witnesses) && witnesses >= 0 && values.witnesses !== ''))
    throw new Error('--witnesses takes a whole number');
  return {
    what,
    keys: values.key,
    keyFiles: values.keys,
    witnesses,
    origin: values.origin,
    since: values.since,
    event: values.event,
    json: values.json,
  };
}
