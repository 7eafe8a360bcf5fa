import { type ClaimOptions, isUuid, type RecordingStore, type Wire, type WireValue } from '@medzen/core';
import { callJson } from '../call-json.ts';
import { text, verdict } from '../read-json.ts';
import { claims } from './recording-json.ts';

const released = verdict({ released: {}, lease_lost: {} });
const renewed = verdict({ renewed: {}, lease_lost: {} });

/** The arguments that claims have in common; undefined when the id cannot exist. */
export function claimArgs(
  options: ClaimOptions & { readonly id?: string },
): Readonly<Record<'limit' | 'lease_ms' | 'id', WireValue>> | undefined {
  if (options.id !== undefined && !isUuid(options.id)) return undefined;
  return { limit: options.limit, lease_ms: options.leaseMs, id: options.id ?? null };
}

/** Claims recordings to stop, transfer or ask about, and renews and gives back the claims. */
export function transferClaims(
  wire: Wire,
): Pick<
  RecordingStore,
  | 'clock'
  | 'claimTransfers'
  | 'claimStops'
  | 'claimReconciliations'
  | 'releaseReconciliation'
  | 'renewClaim'
  | 'releaseClaim'
> {
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

    claimReconciliations: async ({ tenant }, options) => {
      const args = claimArgs(options);
      return args === undefined ? [] : callJson(wire, 'claim_reconciliations', { tenant, ...args }, claims);
    },

    releaseReconciliation: async ({ tenant }, id, token, againSeconds) => {
      if (!isUuid(id)) return;
      const args = { tenant, id, token, again_seconds: againSeconds };
      await callJson(wire, 'release_reconciliation', args, released);
    },

    renewClaim: async ({ tenant }, id, token, leaseMs) => {
      if (!isUuid(id)) return false;
      const { status } = await callJson(wire, 'renew_claim', { tenant, id, token, lease_ms: leaseMs }, renewed);
      return status === 'renewed';
    },

    releaseClaim: async ({ tenant }, id, token, failureCode) => {
      if (!isUuid(id)) return;
      const args = { tenant, id, token, failure_code: failureCode ?? null };
      await callJson(wire, 'release_claim', args, released);
    },
  };
}
