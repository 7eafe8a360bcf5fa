import { MedzenError } from '@medzen/core';

/**
 * Timestamps for new migrations: a second apart, from now on, and after whatever the tree has, even where a colleague's clock ran ahead.
 *
 * @param names - of the tree's migrations, in byte order
 * @param count - how many are wanted
 * @returns 14 digits each, `YYYYMMDDHHMMSS` in UTC
 * @throws MedzenError `invalid_configuration` when a name sorts after every timestamp
 */
export function stampsAfter(names: readonly string[], now: Date, count: number): readonly string[] {
  const last = names.at(-1) ?? '';
  let next = digits(now);
  const stamp = /^\d{14}(?!\d)/.exec(last)?.[0];
  if (stamp !== undefined && stamp >= next) next = following(stamp);
  const stamps = Array.from({ length: count }, () => {
    const stamp = next;
    next = following(stamp);
    return stamp;
  });
  // After the year 9999 the digits are more, and sort before.
  if (stamps.some((stamp, at) => stamp.length !== 14 || stamp <= (stamps[at - 1] ?? last)))
    throw new MedzenError('invalid_configuration', `${last} sorts after every timestamp, so nothing can come after it`);
  return stamps;
}

function digits(at: Date): string {
  return at.toISOString().replace(/\D/g, '').slice(0, 14);
}

/** A second later; where the digits are no date, as some number their migrations, the next number. */
function following(stamp: string): string {
  const [, year, month, day, hours, minutes, seconds] = /^(....)(..)(..)(..)(..)(..)$/.exec(stamp) ?? [];
  const at = new Date(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`);
  if (!Number.isNaN(at.getTime()) && digits(at) === stamp) return digits(new Date(at.getTime() + 1000));
  return String(BigInt(stamp) + 1n).padStart(14, '0');
}
