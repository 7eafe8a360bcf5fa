import { type EvidenceVerdict, verifyEvidence } from '../evidence.ts';
import { ofSigners } from './signers.ts';
import type { Statement } from './statement.ts';

const reasons: Readonly<Record<Extract<EvidenceVerdict, { ok: false }>['reason'], string>> = {
  malformed: 'the file is no evidence: not a C2SP tlog-proof',
  no_event: 'the file holds no event: give its bytes with --event',
  not_included: 'the event is not in the log that was signed',
  not_by_log:
    'others signed, the log itself did not: its key has the name of its checkpoints, or say theirs with --origin',
  too_few_witnesses: 'too few of the witnesses have cosigned',
  unknown_key: 'nobody whose key was given has signed',
  bad_signature: 'a signature does not hold',
  bad_verifier_key: 'kind not supported: none of the given keys is an Ed25519 key of a log or a witness',
};

/** Judges a file of evidence. */
export async function judgeEvidence(
  text: string,
  keys: readonly string[],
  options: {
    readonly witnesses: number | undefined;
    readonly origin: string | undefined;
    readonly body: Uint8Array | undefined;
  },
): Promise<{ readonly statements: readonly Statement[]; readonly couldLook: boolean }> {
  const { witnesses, origin: expected, body } = options;
  const verdict = await verifyEvidence(text, keys, {
    ...(witnesses !== undefined && { minWitnesses: witnesses }),
    ...(expected !== undefined && { origin: expected }),
    ...(body !== undefined && { body }),
  });
  if (!verdict.ok) {
    const couldLook = verdict.reason !== 'no_event' && verdict.reason !== 'bad_verifier_key';
    return { statements: [{ is: couldLook ? 'refused' : 'open', text: reasons[verdict.reason] }], couldLook };
  }
  const { origin, size, index, event } = verdict;
  const named =
    event === undefined
      ? `the entry of ${verdict.body.length} bytes`
      : `event ${event.id} (${event.action}, ${event.outcome}, ${event.at})`;
  return {
    couldLook: true,
    statements: [
      ...ofSigners(origin, size, verdict.signatures, keys),
      { is: 'proved', text: `${named} is entry ${index} of it` },
      { is: 'open', text: 'that what happened is what the entry says: its author answers for that' },
    ],
  };
}
