import { type ConsentStore, MedzenError, type Wire } from '@medzen/core';

/** Stands here until its migration does. */
export function consentStore(_wire: Wire): ConsentStore {
  throw new MedzenError('internal', 'Not built yet');
}
