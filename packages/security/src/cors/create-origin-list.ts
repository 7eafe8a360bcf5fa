import { MedzenError } from '@medzen/core';
import type { OriginList, OriginOptions } from './origin-list.ts';
import { type OriginPattern, parseOriginPattern } from './origin-pattern.ts';

/**
 * @param whyNot - see {@link parseOriginPattern}
 * @throws MedzenError `invalid_configuration`
 */
export function createOriginList(
  patterns: readonly string[],
  whyNot: Parameters<typeof parseOriginPattern>[1],
): OriginList {
  if (patterns.length === 0) throw new MedzenError('invalid_configuration', 'An origin list needs at least one origin');
  const parsed = patterns.map((pattern) => parseOriginPattern(pattern, whyNot));
  return build(parsed, patterns, {});
}

const fieldName = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

function fieldNames(names: readonly string[]): readonly string[] {
  const lower = names.map((name) => name.toLowerCase());
  if (lower.some((name) => name === '*' || !fieldName.test(name)))
    throw new MedzenError('invalid_configuration', "allowHeaders and exposeHeaders must be header names, without '*'");
  return lower;
}

function build(list: readonly OriginPattern[], patterns: readonly string[], options: OriginOptions): OriginList {
  const { credentials = false, maxAgeSeconds = 600 } = options;
  if (!(Number.isInteger(maxAgeSeconds) && maxAgeSeconds >= 0 && maxAgeSeconds <= 7200))
    throw new MedzenError('invalid_configuration', 'maxAgeSeconds must be 0–7200');
  if (credentials) checkCredentials(list);
  const exact = new Set(list.flatMap((entry) => (entry.kind === 'exact' ? [entry.origin] : [])));
  const wild = list.flatMap((entry) => (entry.kind === 'subdomains' ? [entry] : []));
  return {
    patterns,
    credentials,
    allowHeaders: fieldNames(options.allowHeaders ?? ['authorization', 'content-type', 'x-request-id']),
    exposeHeaders: fieldNames(
      options.exposeHeaders ?? ['x-request-id', 'retry-after', 'ratelimit', 'ratelimit-policy'],
    ),
    maxAgeSeconds,
    allows: (origin) => exact.has(origin) || (wild.length > 0 && underAny(origin, wild)),
    with: (more) => build(list, patterns, { ...options, ...more }),
  };
}

function checkCredentials(list: readonly OriginPattern[]): void {
  for (const entry of list) {
    if (entry.kind === 'subdomains')
      throw new MedzenError('invalid_configuration', 'Credentials need exact origins: any subdomain could use them');
    const loopback = entry.host === 'localhost' || entry.host === '127.0.0.1' || entry.host === '[::1]';
    if (entry.scheme === 'http' && !loopback)
      throw new MedzenError(
        'invalid_configuration',
        'Credentials need https origins: anyone on the way could use them',
      );
  }
}

const originShape = /^([a-z]+):\/\/([a-z0-9_.-]{1,253})(?::([1-9]\d{0,4}))?$/;

function underAny(
  origin: string,
  wild: readonly { readonly scheme: string; readonly suffix: string; readonly port: string }[],
): boolean {
  const found = originShape.exec(origin);
  if (found === null) return false;
  const [, scheme = '', host = '', port = ''] = found;
  return wild.some(
    (entry) =>
      entry.scheme === scheme &&
      entry.port === port &&
      host.endsWith(entry.suffix) &&
      /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(host.slice(0, -entry.suffix.length)),
  );
}
