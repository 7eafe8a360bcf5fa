import { parseArgs } from 'node:util';
import { isMedzenError } from '@medzen/core';
import { planRebase, type RebaseOptions, rebaseLog } from '../sequencer/rebase.ts';
import { type RebaseConfiguration, readConfiguration } from './configuration.ts';

/** Functions of the machine that the command runs on. */
export interface RebaseIo {
  /** Imports a module by its path. @throws when it cannot */
  readonly load: (path: string) => Promise<unknown>;
  /** A file's text. @throws when it cannot be read */
  readonly readFile: (path: string) => Promise<string>;
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  readonly version: string;
}

const usage = `Lets an audit log go on that lost sealed events, by a restore from backup or a failover, under a new origin.
Stop the sequencers first. Without --yes it only says what it would come to.

  medzen-rebase --config <module> --known <file> --decided-by <id> --reason <text> [--yes]

  --config <module>    exports by default { store, memory, signer, previousKeys, published?, scope?, close? },
                       or a function that makes it; signer is the new one
  --known <file>       the last known checkpoint of the log; the largest counts, of this, the memory's and the
                       published one
  --decided-by <id>    who decides it: the person's id in the log
  --name <text>        that person's name
  --reason <text>      what happened, in a sentence; no names of patients
  --yes                do it
  --help, --version

Exit code: 0 done (or planned), 1 refused: nothing was lost, or what is stored is no copy of it, 2 could not do it:
run it again, it goes on where it stopped.`;

interface Asked {
  readonly config: string;
  readonly known: string | undefined;
  readonly decidedBy: RebaseOptions['decidedBy'];
  readonly reason: string;
  readonly yes: boolean;
}

/**
 * The command `medzen-rebase`.
 *
 * @param argv - the arguments, without the program's name
 * @returns its exit code: 0 done or planned, 1 refused, 2 could not do it
 * @example
 * ```ts
 * import { type RebaseIo, runRebase } from '@medzen/audit/rebase-cli';
 * const run = (io: RebaseIo) => runRebase(['--help'], io);
 * ```
 */
export async function runRebase(argv: readonly string[], io: RebaseIo): Promise<0 | 1 | 2> {
  let asked: Asked | 'help' | 'version';
  try {
    asked = readArguments(argv);
  } catch (error) {
    io.complain(`${error instanceof Error ? error.message : 'Wrong arguments'}\n\n${usage}`);
    return 2;
  }
  if (asked === 'help' || asked === 'version') {
    io.print(asked === 'help' ? usage : io.version);
    return 0;
  }
  let configuration: RebaseConfiguration | undefined;
  try {
    configuration = await readConfiguration(await io.load(asked.config));
    const { store, memory, signer, previousKeys, published, scope = { tenant: 'default' } } = configuration;
    const known = asked.known === undefined ? undefined : await io.readFile(asked.known);
    return await work(
      {
        ...{ store, memory, signer, previousKeys, scope, decidedBy: asked.decidedBy, reason: asked.reason },
        ...(published !== undefined && { published }),
        ...(known !== undefined && { known }),
      },
      asked.yes,
      io,
    );
  } catch (error) {
    const refused = isMedzenError(error) && ['conflict', 'checkpoint_inconsistent'].includes(error.code);
    io.complain(
      `${refused ? 'Refused' : 'Could not do it'}: ${error instanceof Error ? error.message : 'unknown trouble'}`,
    );
    return refused ? 1 : 2;
  } finally {
    await configuration?.close?.();
  }
}

async function work(options: RebaseOptions, yes: boolean, io: RebaseIo): Promise<0> {
  const { origin, verifierKey } = options.signer;
  if (!yes) {
    const { oldOrigin, oldSize, surviving, lost, survivors } = await planRebase(options);
    io.print(
      [
        `${oldOrigin} signed ${oldSize} events; ${surviving} are left, ${lost} are lost: those from leaf ${surviving} on.`,
        survivors === 'proved'
          ? 'What is left is proved to be the beginning of what was signed.'
          : 'That what is left is the beginning of what was signed, only its own checkpoint says: no published files were at hand.',
        `The log would go on as ${origin}. To do it, add --yes.`,
      ].join('\n'),
    );
    return 0;
  }
  const { status, oldOrigin, oldSize, surviving, lost, eventId, checkpoint } = await rebaseLog(options);
  io.print(
    [
      `${status === 'rebased' ? 'Done' : 'It had been done'}: ${oldOrigin} ended with ${oldSize} events, of which ${lost} are lost; ${origin} goes on from the ${surviving} that are left.`,
      `Event ${eventId} records it. Start the sequencers with the new signer, and give everyone who verifies the log this key:`,
      verifierKey,
      `Keep this checkpoint elsewhere:\n\n${checkpoint}`,
    ].join('\n'),
  );
  return 0;
}

/** @throws Error with a sentence that says what is wrong */
function readArguments(argv: readonly string[]): Asked | 'help' | 'version' {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      config: { type: 'string' },
      known: { type: 'string' },
      'decided-by': { type: 'string' },
      name: { type: 'string' },
      reason: { type: 'string' },
      yes: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      version: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  if (values.version) return 'version';
  const { config, known, name, reason, yes } = values;
  const id = values['decided-by'];
  if (config === undefined) throw new Error('--config must name the module that makes the stores and the new signer');
  if (id === undefined || reason === undefined)
    throw new Error('--decided-by and --reason must say who decides it, and why');
  return { config, known, decidedBy: { id, ...(name !== undefined && { name }) }, reason, yes };
}
