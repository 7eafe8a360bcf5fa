import type { Recording } from '@medzen/core';
import type { RetentionDecision } from '../decision.ts';

/**
 * Lists the steps before a recording can be deleted, in order, for a person.
 *
 * @param current - whether the stored decision, and so `deletableAt`, is of the present rules and facts
 */
export function nextSteps(recording: Recording, decision: RetentionDecision, current: boolean): readonly string[] {
  const { state, holds, accessRequests, retentionClass } = recording;
  if (state === 'deleted') return [];
  const steps: string[] = [];
  if (holds > 0)
    steps.push(holds === 1 ? 'The legal hold must be released.' : `${holds} legal holds must be released.`);
  if (accessRequests > 0)
    steps.push(
      accessRequests === 1 ? 'The access request must be closed.' : `${accessRequests} access requests must be closed.`,
    );
  if (decision.undated === 'claim') steps.push('The open claim must be closed: note claim_closed.');
  if (decision.undated === 'unknown') steps.push(...unknownSteps(decision, retentionClass));
  if (decision.missing.includes('birth') && decision.undated === undefined)
    steps.push('A birth date may be noted: the date given here is that of the youngest patient there can be.');
  if (!current) steps.push('The next sweep decides again.');
  if (decision.undated !== undefined) return steps;
  if (state === 'deleting')
    return [...steps, 'The sweep finishes the deletion, or takes it back where nothing is gone yet.'];
  const { retainUntil, warnAt, graceUntil } = decision;
  if (state !== 'archived') steps.push(`The duty to keep ends at ${retainUntil}.`);
  const deletableAt = current ? recording.deletableAt : undefined;
  if (deletableAt === undefined) steps.push(`People are warned at ${warnAt}.`);
  steps.push(`The sweep may delete it from ${deletableAt ?? graceUntil} on.`);
  return steps;
}

function unknownSteps(
  { missing, basis, verified, assumptions }: RetentionDecision,
  { jurisdiction, providerClass }: Recording['retentionClass'],
): readonly string[] {
  // A birth date that was assumed does not stand in the way.
  const wanted = missing.filter((fact) => fact !== 'birth' || assumptions.length === 0);
  const steps = wanted.map((fact) => `The ${fact.replaceAll('_', ' ')} must be noted.`);
  const read = basis.some(({ until, confidence }) => until === undefined && confidence !== 'secondary-seen');
  if (steps.length > 0 && (verified || read)) return steps;
  const candidates = basis
    .filter(({ confidence, until }) => confidence === 'secondary-seen' && until !== undefined)
    .map(({ ruleId }) => ruleId);
  const confirm = candidates.length === 0 ? '' : `, or confirm ${candidates.join(', ')} after reading the text`;
  return [...steps, `A policy for ${jurisdiction} ${providerClass} must give a rule${confirm}.`];
}
