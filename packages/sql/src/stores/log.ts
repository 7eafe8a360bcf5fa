import { type LogStore, MedzenError, type Wire } from '@medzen/core';

/** Stands here until its migration does. */
export function logStore(_wire: Wire): LogStore {
  throw new MedzenError('internal', 'Not built yet');
}
