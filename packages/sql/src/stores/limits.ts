import { MedzenError, type RateLimitStore, type Wire } from '@medzen/core';

/** Stands here until its migration does. */
export function rateLimitStore(_wire: Wire): RateLimitStore {
  throw new MedzenError('internal', 'Not built yet');
}
