import { type Clock, systemClock } from './clock.ts';
import { MedzenError } from './errors.ts';
import { toHex } from './hex.ts';
import { type Random, systemRandom } from './random.ts';

/** Source of identifiers. Inject it to make tests repeatable. */
export interface Ids {
  /** A new UUIDv7, lower case. */
  uuid(): string;
}

/**
 * A UUID of version 7: 48 bits of Unix milliseconds, then 74 random bits.
 *
 * @param clock - gives the time part; must lie between 1970 and the year 10889
 * @param random - gives the rest
 * @returns 36 characters, lower case
 * @throws MedzenError `invalid_input` when the clock is outside 48 bits
 * @see RFC 9562 §5.7
 * @example
 * ```ts
 * import { uuidv7 } from '@medzen/core';
 * uuidv7(); // '019aa7c4-…-7…'
 * ```
 */
export function uuidv7(clock: Clock = systemClock, random: Random = systemRandom): string {
  const ms = clock.now().getTime();
  if (!(ms >= 0 && ms < 2 ** 48)) throw new MedzenError('invalid_input', 'The clock does not fit a UUIDv7');
  const tail = random.bytes(10);
  tail[0] = ((tail[0] ?? 0) & 0x0f) | 0x70;
  tail[2] = ((tail[2] ?? 0) & 0x3f) | 0x80;
  const time = ms.toString(16).padStart(12, '0');
  const rest = toHex(tail);
  return `${time.slice(0, 8)}-${time.slice(8)}-${rest.slice(0, 4)}-${rest.slice(4, 8)}-${rest.slice(8)}`;
}

/** Ids from a clock and a source of randomness; the machine's own by default. */
export function createIds(clock: Clock = systemClock, random: Random = systemRandom): Ids {
  return { uuid: () => uuidv7(clock, random) };
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Checks that a string is a UUID of any version in canonical lowercase form. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}
