import type { DoctorReport } from '../doctor/finding.ts';

/** A report for people: a line of facts, then each finding with what to do, worst first. */
export function showReport({ findings, unexamined, facts }: DoctorReport): string {
  const members = Object.entries(facts.members).map(([group, logins]) => `${group}: ${logins.join(', ')}`);
  const lines = [
    [
      `Postgres ${facts.serverVersion}`,
      `schema ${facts.schema}`,
      ...(facts.owner === undefined ? [] : [`owner ${facts.owner}`]),
    ].join(', '),
    ...(members.length === 0 ? [] : [`members of ${members.join('; ')}`]),
  ];
  for (const { id, severity, message, remedy } of findings) {
    lines.push('', `${severity.padEnd(8)} ${message}  [${id}]`);
    if (remedy !== undefined) lines.push(...remedy.split('\n').map((line) => `         ${line}`));
  }
  if (unexamined.length > 0) lines.push('', `Not looked at, for want of rights or knowledge: ${unexamined.join('; ')}`);
  const count = (wanted: string): number => findings.filter(({ severity }) => severity === wanted).length;
  lines.push('', `${count('critical')} critical, ${count('warning')} warnings, ${count('info')} to know`);
  return lines.join('\n');
}
