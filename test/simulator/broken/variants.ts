import { brokenCaptures } from './capture.ts';
import { brokenDeletions } from './deletion.ts';
import { brokenRetention } from './retention.ts';
import type { Broken } from './variant.ts';

/** Each is one switch that puts back the behavior that a mend replaced. */
export const brokenVariants: readonly Broken[] = [...brokenCaptures, ...brokenDeletions, ...brokenRetention];
