import { MedzenError } from '@medzen/core';
import type { TileSource } from '../tile-storage.ts';
import { readVerifierKey } from '../verifier-key.ts';
import type { VerifyIo } from './io.ts';
import { judgeEvidence } from './judge-evidence.ts';
import { judgeLog } from './judge-log.ts';
import { readArguments, usage, type VerifyArguments } from './options.ts';
import { type Statement, showStatements } from './statement.ts';

/**
 * The command `medzen-verify`.
 *
 * @param argv - the arguments, without the program's name
 * @returns its exit code: 0 proved, 1 refused, 2 could not look
 * @example
 * ```ts
 * import { runVerify, type VerifyIo } from '@medzen/audit/verify-cli';
 * const run = (io: VerifyIo) => runVerify(['--help'], io);
 * ```
 */
export async function runVerify(argv: readonly string[], io: VerifyIo): Promise<0 | 1 | 2> {
  let asked: VerifyArguments | 'help' | 'version';
  try {
    asked = readArguments(argv);
  } catch (error) {
    io.complain(`${error instanceof Error ? error.message : 'Wrong arguments'}\n\n${usage}`);
    return 2;
  }
  if (asked === 'help') return said(io, usage);
  if (asked === 'version') return said(io, io.version);
  try {
    const { statements, couldLook } = await judge(asked, io);
    io.print(asked.json ? JSON.stringify({ statements }, null, 2) : showStatements(statements));
    if (!couldLook) return 2;
    return statements.some(({ is }) => is === 'refused') ? 1 : 0;
  } catch (error) {
    io.complain(`Could not look: ${wordsOf(error)}`);
    return 2;
  }
}

function said(io: VerifyIo, text: string): 0 {
  io.print(text);
  return 0;
}

async function judge(
  asked: VerifyArguments,
  io: VerifyIo,
): Promise<{ readonly statements: readonly Statement[]; readonly couldLook: boolean }> {
  const keys = [...asked.keys, ...(await keysIn(asked.keyFiles, io))];
  const wrong = keys.findIndex((key) => readVerifierKey(key) === undefined) + 1;
  // Not shown: it may be the seed, given by mistake.
  if (wrong > 0) throw new MedzenError('invalid_input', `--key number ${wrong} must be a verifier key`);
  const policy = { witnesses: asked.witnesses, origin: asked.origin };
  const source = await sourceOf(asked.what, io);
  if (source === undefined) {
    if (asked.since !== undefined) throw new MedzenError('invalid_input', '--since is for a log, not for evidence');
    const body = asked.event === undefined ? undefined : await io.readFile(asked.event);
    return judgeEvidence(await textOf(asked.what, io), keys, { ...policy, body });
  }
  if (asked.event !== undefined) throw new MedzenError('invalid_input', '--event is for evidence, not for a log');
  const since = asked.since === undefined ? undefined : await textOf(asked.since, io);
  return { statements: await judgeLog(source, keys, { ...policy, since, signal: io.signal }), couldLook: true };
}

/** Where the files of a log are; undefined for evidence, which is one file. */
async function sourceOf(what: string, io: VerifyIo): Promise<TileSource | undefined> {
  if (/^https?:\/\//.test(what)) return io.web(what);
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(what) ?? [];
  if (bucket !== undefined) return io.bucket(bucket, prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`);
  return (await io.isFolder(what)) ? io.folder(what) : undefined;
}

async function keysIn(files: readonly string[], io: VerifyIo): Promise<readonly string[]> {
  const texts = await Promise.all(files.map((file) => textOf(file, io)));
  return texts.flatMap((text) => text.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#')));
}

async function textOf(file: string, io: VerifyIo): Promise<string> {
  return new TextDecoder().decode(await io.readFile(file));
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown trouble';
}
