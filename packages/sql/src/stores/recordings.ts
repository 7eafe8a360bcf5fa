import { MedzenError, type RecordingStore, type Wire } from '@medzen/core';

/** Stands here until its migration does. */
export function recordingStore(_wire: Wire): RecordingStore {
  throw new MedzenError('internal', 'Not built yet');
}
