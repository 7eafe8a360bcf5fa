import { type AuditStore, MedzenError, type Wire } from '@medzen/core';

/** Stands here until its migration does. */
export function auditStore(_wire: Wire): AuditStore {
  throw new MedzenError('internal', 'Not built yet');
}
