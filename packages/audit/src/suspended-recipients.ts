import type { AccountingSuspension } from './accounting-suspension.ts';

const thirtyDays = 30 * 86_400_000;

/**
 * Whose disclosures are left out of an accounting that is given at this instant. What counts is when it is given, not when the disclosure was made:
 * after the end, the person learns of all of them.
 */
export function suspendedAt(suspensions: readonly AccountingSuspension[], now: Date): (recipient: string) => boolean {
  const names = new Set<string>();
  for (const one of suspensions) {
    const start = one.from.getTime();
    const said = one.to?.getTime() ?? Number.POSITIVE_INFINITY;
    const end = one.statement === 'oral' ? Math.min(said, start + thirtyDays) : said;
    if (now.getTime() >= start && now.getTime() < end) names.add(plainName(one.recipient));
  }
  return (recipient) => names.has(plainName(recipient));
}

/** One spelling of a name: as NFKC, without regard to case and spaces. */
function plainName(name: string): string {
  return name.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase();
}
