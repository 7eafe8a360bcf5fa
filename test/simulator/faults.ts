import { MedzenError } from '@medzen/core';

/** What may happen to one awaited call. */
export type CallFault =
  | 'none'
  /** An error, and nothing was done. */
  | 'lost_before'
  /** Done, and the answer was lost. */
  | 'lost_after'
  /** The process ends before the call, or after its effect. */
  | 'crash_before'
  | 'crash_after'
  /** No answer ever comes; done or not. */
  | 'hang_before'
  | 'hang_after'
  /** The answer takes seconds to minutes. */
  | 'slow'
  /** An error of no kind that is documented. */
  | 'odd_error'
  /** Done twice. */
  | 'duplicate'
  /** The object store asks for patience, or refuses the call. Nothing was done. */
  | 'SlowDown'
  | 'AccessDenied';

const kinds: readonly CallFault[] = [
  'lost_before',
  'lost_before',
  'lost_after',
  'lost_after',
  'crash_before',
  'crash_after',
  'hang_before',
  'hang_after',
  'slow',
  'slow',
  'odd_error',
  'duplicate',
];

/** An object store has these besides. */
const objectKinds: readonly CallFault[] = [...kinds, 'SlowDown', 'SlowDown', 'AccessDenied'];

/** Every kind of fault, as runs count them. A run of the standard seeds injects each of them. */
const everyFault: readonly string[] = [
  ...new Set(objectKinds),
  'InternalError',
  'stale_listing',
  'slow_media',
  'media_failed',
  'media_empty',
  'media_page',
  'media_cut',
  'media_short',
  'lost_at_provider',
  'clock_years_off',
  'provider_clock_off',
  'callback_lost',
  'callback_late',
  'callback_twice',
  'withdrawal',
  'withdrawal_by_sql',
  'second start',
  'provider away',
  'provider hangs',
  'objects away',
  'objects hangs',
  'recordings away',
  'recordings hangs',
  'notifier away',
  'notifier hangs',
  'hold',
  'treatment',
  'mistaken fact',
  'day to come',
  'claim',
  'lock',
  'litter',
  'kept longer',
  'delete asked',
  'rules changed',
  'bucket changed',
  'access requested',
  'provider dropped',
  'address lost',
  'taken back',
];

/** Kinds of fault that a run never injected. */
export function missingFaults({ faults }: { readonly faults: ReadonlyMap<string, number> }): readonly string[] {
  return everyFault.filter((kind) => !faults.has(kind));
}

/** The ports through which a process reaches the world. */
export type Port = 'recordings' | 'consents' | 'audit' | 'objects' | 'provider' | 'notifier';

/** How bad it is at the moment. */
export interface Weather {
  /** How often a call suffers a fault, 0–1. */
  rate: number;
  /** Since when nothing has gone wrong, in milliseconds; infinite while things do. */
  calmSince: number;
  /** Ports that answer every call with an error. */
  readonly down: Set<Port>;
  /** Ports that answer no call. */
  readonly hung: Set<Port>;
  /** How often one version of a deletion is refused, 0–1. */
  partial: number;
  /** How often a chunk of media is slow, 0–1. */
  slowMedia: number;
  /** How often a listing lags behind what was stored or removed, 0–1. */
  staleListings: number;
}

/** What was injected, by kind. */
export type FaultCounts = Map<string, number>;

export function count(counts: FaultCounts, kind: string, by = 1): void {
  counts.set(kind, (counts.get(kind) ?? 0) + by);
}

/** Chooses the fault of a call. */
export function chooseFault(weather: Weather, port: Port, numbers: () => number): CallFault {
  if (weather.down.has(port)) return 'lost_before';
  if (weather.hung.has(port)) return 'hang_before';
  if (weather.rate === 0 || numbers() >= weather.rate) return 'none';
  const among = port === 'objects' ? objectKinds : kinds;
  const kind = among[Math.floor(numbers() * among.length)] ?? 'none';
  // A database does a transaction once; what is repeated there is repeated by its caller.
  return kind === 'duplicate' && port !== 'provider' && port !== 'notifier' ? 'lost_after' : kind;
}

/** The error of a port that is away. */
export function away(port: Port): MedzenError {
  return port === 'provider'
    ? new MedzenError('provider_unavailable', 'A fault was injected')
    : new MedzenError('store_unavailable', 'A fault was injected');
}

/** The error with which an object store refuses a call. */
export function refusal(code: 'SlowDown' | 'AccessDenied'): MedzenError {
  return new MedzenError('store_unavailable', `The object store answered ${code}`, { retryable: code === 'SlowDown' });
}

export function calm(): Weather {
  return { rate: 0, calmSince: 0, down: new Set(), hung: new Set(), partial: 0, slowMedia: 0, staleListings: 0 };
}
