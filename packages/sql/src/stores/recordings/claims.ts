import { type ClaimOptions, isUuid, type RecordingStore, type Wire, type WireValue } from '@medzen/core';
import { callJson, instantArg } from '../call-json.ts';
import { text, verdict } from '../read-json.ts';
import { claims, recordings } from './recording-json.ts';

/** The arguments that claims have in common; undefined when the id is none that could exist. */
export function claimArgs(
  options: ClaimOptions & { readonly id?: string },
): Readonly<Record<'limit' | 'lease_ms' | 'id', WireValue>> | undefined {
  if (options.id !== undefined && !isUuid(options.id)) return undefined;
  return { limit: options.limit, lease_ms: options.leaseMs, id: options.id ?? null };
}

/** Which worker stops what, or brings which media in, and how a claim of any kind is given back. */
export function transferClaims(
  wire: Wire,
): Pick<RecordingStore, 'clock' | 'claimTransfers' | 'claimStops' | 'releaseClaim' | 'stuck'> {
  return {
    clock: async () => new Date(await callJson(wire, 'read_clock', {}, text)),

    claimTransfers: async ({ tenant }, options) => {
      const args = claimArgs(options);
      return args === undefined ? [] : callJson(wire, 'claim_transfers', { tenant, ...args }, claims);
    },

    claimStops: async ({ tenant }, options) => {
      const args = claimArgs(options);
      return args === undefined ? [] : callJson(wire, 'claim_stops', { tenant, ...args }, claims);
    },

    releaseClaim: async ({ tenant }, id, token, failureCode) => {
      if (!isUuid(id)) return;
      const args = { tenant, id, token, failure_code: failureCode ?? null };
      await callJson(wire, 'release_claim', args, verdict({ released: {}, lease_lost: {} }));
    },

    stuck: async ({ tenant }, before, limit) =>
      callJson(wire, 'list_stuck', { tenant, before: instantArg(before), limit }, recordings),
  };
}
