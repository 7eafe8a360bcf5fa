import { MedzenError } from './errors.ts';

/** The tenant a call may touch. Single-tenant hosts use `'default'`. */
export interface Scope {
  /** 1–64 of `a-z`, `0-9`, `_` and `-`, starting with a letter or digit; it also stands in object keys. */
  readonly tenant: string;
}

const pattern = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/**
 * Checks a tenant name once, at the edge.
 *
 * @throws MedzenError `invalid_input`
 */
export function scopeOf(tenant: string): Scope {
  if (!pattern.test(tenant))
    throw new MedzenError(
      'invalid_input',
      "tenant must be 1 to 64 characters of a-z, 0-9, '_' and '-', starting with a letter or digit",
    );
  return { tenant };
}
