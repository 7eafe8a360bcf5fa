import type { CheckpointSignature } from '../checkpoint.ts';
import { parseVerifierKey, unsupportedAmong } from '../verifier-key.ts';
import type { Statement } from './statement.ts';

/** Witnesses whose keys are given, each counted once. */
export function witnessesAmong(keys: readonly string[]): number {
  return new Set(keys.filter((key) => parseVerifierKey(key)?.type === 'cosignature')).size;
}

/** What is said of those who signed. */
export function ofSigners(
  origin: string,
  size: number,
  signatures: readonly CheckpointSignature[],
  keys: readonly string[],
): readonly Statement[] {
  const cosigned = signatures.flatMap(({ name, cosignedAt }) =>
    cosignedAt === undefined ? [] : [`${name} at ${cosignedAt.toISOString()}`],
  );
  const asked = witnessesAmong(keys);
  return [
    ...unsupportedAmong(keys).map(
      ({ name, algorithm }): Statement => ({
        is: 'open',
        text: `what ${name} signed: kind not supported (signature type ${algorithm})`,
      }),
    ),
    { is: 'proved', text: `${origin} signed a log of ${size} ${size === 1 ? 'entry' : 'entries'}` },
    ...cosigned.map(
      (by): Statement => ({ is: 'proved', text: `cosigned by ${by}: no other history was shown to this witness` }),
    ),
    ...(cosigned.length > 0
      ? []
      : [
          {
            is: 'open',
            text: `that everybody is shown this same log: ${asked > 0 ? 'no witness whose key was given has cosigned it' : 'no key of a witness was given'}`,
          } as const,
        ]),
  ];
}
