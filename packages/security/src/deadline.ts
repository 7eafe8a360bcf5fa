import { MedzenError } from '@medzen/core';

/**
 * Waits for a promise, but not for ever. The work itself goes on; its late failure is swallowed.
 *
 * @param ms - ≥ 1
 * @throws MedzenError `store_unavailable` when it takes longer
 */
export async function withDeadline<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new MedzenError('store_unavailable', 'No answer in time')), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
