import { createOriginList } from './create-origin-list.ts';
import type { OriginList } from './origin-list.ts';

/**
 * Origins that browsers may call from, each exact: for edge bundles, which then carry no list of public suffixes. Judged
 * like those of `origins`; a pattern with a wildcard is refused.
 *
 * @throws MedzenError `invalid_configuration`, naming the pattern and the rule
 * @example
 * ```ts
 * import { exactOrigins } from '@medzen/security';
 * exactOrigins('https://app.example.com').allows('https://app.example.com'); // true
 * ```
 */
export function exactOrigins(...patterns: readonly string[]): OriginList {
  return createOriginList(patterns, () => 'only exact origins are taken here');
}
