import type { ProviderMedia, Recording } from '@medzen/core';
import type { WebhookRequest } from '@medzen/core/webhooks';

/**
 * One thing a provider told us, in our own words. Providers send late, twice and out of order; an event says what happened, never
 * what to do about it.
 */
export interface ProviderEvent {
  /** The provider's name, as in {@link Provider.name}. */
  readonly provider: string;
  /** The provider's id of the session, e.g. a Twilio RoomSid. */
  readonly providerRef: string;
  /**
   * `capture_*`: one track of the session began, ended well, or failed. `session_ended`: nobody is left in it. `processing`: the
   * media is being made. `media_available`, `media_failed`: it was made, or could not be.
   */
  readonly type:
    | 'capture_started'
    | 'capture_completed'
    | 'capture_failed'
    | 'session_ended'
    | 'processing'
    | 'media_available'
    | 'media_failed';
  /** The same for every delivery of the same event, and for no other. 1–512 characters. */
  readonly key: string;
  /** When it happened, by the provider's clock: RFC 3339 UTC. */
  readonly at: string;
  /** Present for `media_available` only. */
  readonly media?: ProviderMedia;
  /** Seconds, ≥ 0, of `media_available` only. */
  readonly durationSeconds?: number;
  /** The provider's code for `capture_failed` and `media_failed`, never its prose. 1–128 characters. */
  readonly failureCode?: string;
}

/** Result of verifying a webhook. Never thrown. */
export type VerifiedWebhook =
  | { readonly ok: true; readonly events: readonly ProviderEvent[] }
  | {
      readonly ok: false;
      /** `signature_*`: refuse with 401. `body_malformed`: signed, but not what the provider documents; refuse with 422. */
      readonly reason: 'signature_missing' | 'signature_invalid' | 'body_malformed';
    };

/** Media on its way from the provider. */
export interface ProviderMediaStream {
  readonly body: ReadableStream<Uint8Array>;
  /** As the provider says, never guessed. */
  readonly contentType: string;
  /** Bytes, when the provider says. */
  readonly size?: number;
  /** Seconds that it plays, when the provider says. */
  readonly durationSeconds?: number;
  /** Seconds that were captured of the session, without its gaps, when the provider says: media of it cannot be much shorter. */
  readonly capturedSeconds?: number;
}

/**
 * A provider's answer to the question where a capture stands. `unknown` when it cannot tell, never a guess.
 *
 * - `running`: it captures, or will as soon as a participant sends media.
 * - `ended`: it captures no more, and the media is not made yet (`compose`).
 * - `processing`: the media is being made.
 * - `media`: the media is there.
 * - `none`: it says that it never captured anything.
 * - `failed`: it captured, and there will be no media.
 * - `expired`: it had something, and has deleted it.
 * - `unknown`: it does not know the session, or cannot say.
 */
export type CaptureStatus = CaptureTimes &
  (
    | { readonly status: 'running' | 'processing' | 'expired' | 'unknown' }
    | {
        readonly status: 'ended' | 'none';
        /** The session goes on, so that a capture may begin (again). */
        readonly sessionOpen: boolean;
      }
    | { readonly status: 'media'; readonly media: ProviderMedia; readonly durationSeconds?: number }
    /** `code`: 1–128 characters, never prose. */
    | { readonly status: 'failed'; readonly code: string }
  );

/** By the provider's clock, RFC 3339 UTC; absent where it does not say. */
export interface CaptureTimes {
  /** When the session began, in which it was captured. */
  readonly startedAt?: string;
  /** When the session ended. */
  readonly endedAt?: string;
}

/** Input for a provider to make media. */
export interface CompositionOrder {
  readonly tenant: string;
  readonly mayBegin: () => Promise<boolean>;
}

/**
 * Makes recordings. Every call may be repeated: a retry after a crash or a lost answer must come to the same. Calls
 * that reach the network throw `provider_unavailable` (retryable) on time-outs, 5xx and refused connections, and end
 * early, with that error, when the signal is aborted.
 */
export interface Provider {
  /** Stands in each recording's `provider`. 1–64 characters. */
  readonly name: string;

  /**
   * The account it asks, so that a recording of another account does not look deleted: each row remembers it. 1–256
   * characters, no secret. Absent where a provider has no accounts.
   */
  readonly account?: string;

  /** Checks the signature over the raw bytes, then reads the events. A repeated or late delivery verifies again. */
  verify(request: WebhookRequest): VerifiedWebhook;

  /**
   * Begins capture.
   *
   * @throws MedzenError `not_available`, or any other error that is not retryable, only when it is certain that nothing was begun: the
   * recording is `failed` then. Everything else, `provider_unavailable` included, may have begun it, and the provider is asked (`look`)
   */
  start(recording: Recording, signal?: AbortSignal): Promise<void>;

  /** Ends capture; the call itself goes on. Nothing to stop is no error. @throws MedzenError `provider_unavailable` */
  stop(recording: Recording, signal?: AbortSignal): Promise<void>;

  /**
   * Asks where the capture stands, without changing anything. Called for every recording that is late, so it must be cheap: a few requests,
   * every page of a list followed, none of them without an end.
   *
   * @throws MedzenError `provider_unavailable`
   */
  look(recording: Recording, signal?: AbortSignal): Promise<CaptureStatus>;

  /**
   * Has the media made from what was captured, once the session has ended. `later` while it is still going on. Absent where the
   * provider does it unasked.
   *
   * @param order.tenant - whose recording it is, for a callback URL that names it
   * @param order.mayBegin - asked just before the media is ordered: false when another process is ordering it, and then `begun` is the answer
   * @throws MedzenError `provider_unavailable`; `not_available` when there is nothing to make it from
   */
  compose?(recording: Recording, order: CompositionOrder, signal?: AbortSignal): Promise<'begun' | 'later'>;

  /**
   * Opens the media of `recording.media`.
   *
   * @throws MedzenError `provider_unavailable`; `not_available` (not retryable) when the provider no longer has it
   */
  media(recording: Recording, signal?: AbortSignal): Promise<ProviderMediaStream>;

  /**
   * Removes everything the provider still holds of the recording. What is gone already counts as removed.
   *
   * @returns what stays there in spite of it, and for how long, for the tombstone
   * @throws MedzenError `provider_unavailable`
   */
  discard(recording: Recording, signal?: AbortSignal): Promise<{ readonly note?: string }>;
}
