import type { AuditEvent, Json } from '@medzen/core';
import { isIpAddress } from './ip-address.ts';

/**
 * An OCSF event of class API Activity, as far as it is filled here.
 *
 * @see https://schema.ocsf.io/1.6.0/classes/api_activity
 */
export interface OcsfApiActivity {
  readonly category_uid: 6;
  readonly category_name: 'Application Activity';
  readonly class_uid: 6003;
  readonly class_name: 'API Activity';
  readonly activity_id: 1 | 2 | 3 | 4 | 99;
  readonly activity_name: string;
  /** `class_uid` × 100 + `activity_id`. */
  readonly type_uid: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** 1 for what succeeded, 2 (low) for what was refused or failed, 3 (medium) for an emergency access. */
  readonly severity_id: 1 | 2 | 3;
  readonly severity: string;
  readonly status_id: 1 | 2;
  readonly status: 'Success' | 'Failure';
  /** `denied` or `failed`, and the code of the error where it is known. */
  readonly status_detail?: string;
  readonly metadata: {
    readonly version: '1.6.0';
    readonly product: { readonly name: string; readonly vendor_name: string };
    readonly uid: string;
    readonly event_code: string;
    readonly original_time: string;
    readonly tenant_uid?: string;
    readonly correlation_uid?: string;
  };
  readonly actor: {
    readonly user: {
      readonly uid: string;
      readonly type_id: 1 | 3 | 99;
      readonly type: string;
      readonly groups?: readonly { readonly name: string }[];
    };
    readonly session?: { readonly uid: string };
  };
  readonly api: { readonly operation: string; readonly request?: { readonly uid: string } };
  readonly src_endpoint: { readonly ip: string } | { readonly name: string };
  readonly http_request?: { readonly user_agent: string };
  readonly resources?: readonly { readonly type: string; readonly uid?: string; readonly name?: string }[];
  /** What OCSF has no attribute for: `purpose`, `on_behalf_of`, `fields`, `detail`. */
  readonly unmapped?: { readonly [key: string]: Json };
}

const activities = {
  create: [1, 'Create'],
  read: [2, 'Read'],
  update: [3, 'Update'],
  delete: [4, 'Delete'],
  execute: [99, 'Execute'],
} as const;
/** A service is `Other`: the number of its own came with a later version. */
const userTypes = { user: [1, 'User'], system: [3, 'System'], service: [99, 'Service'] } as const;
const severities = { 1: 'Informational', 2: 'Low', 3: 'Medium' } as const;

/**
 * Writes an event for a security lake or SIEM, in OCSF 1.6.0. Every event is of one class, API Activity (6003), so that one table holds them
 * all. Ids, codes and names of fields only: the `reason`, names of people and the `disclosure` stay behind.
 *
 * @param event - as read from the log
 * @returns plain JSON, one object an event
 * @see https://schema.ocsf.io/1.6.0/classes/api_activity
 * @example
 * ```ts
 * import { toOcsf } from '@medzen/audit';
 * import type { AuditEvent } from '@medzen/core';
 * const refused = (event: AuditEvent): boolean => toOcsf(event).status_id === 2;
 * ```
 */
export function toOcsf(event: AuditEvent): OcsfApiActivity {
  const { actor, source, outcome, purpose } = event;
  const [activity, name] = activities[event.kind];
  const [userType, userTypeName] = userTypes[actor.type];
  const severity = purpose === 'BTG' || purpose === 'ETREAT' ? 3 : outcome === 'success' ? 1 : 2;
  const groups = (actor.role ?? '').split(',').filter((role) => role !== '');
  const resources = resourcesOf(event);
  const unmapped = unmappedOf(event);
  return {
    category_uid: 6,
    category_name: 'Application Activity',
    class_uid: 6003,
    class_name: 'API Activity',
    activity_id: activity,
    activity_name: name,
    type_uid: 600300 + activity,
    time: Date.parse(event.at),
    severity_id: severity,
    severity: severities[severity],
    ...statusOf(event),
    metadata: {
      version: '1.6.0',
      product: { name: 'Medzen', vendor_name: 'Medzen' },
      uid: event.id,
      event_code: event.action,
      original_time: event.at,
      ...(event.tenant === undefined ? {} : { tenant_uid: event.tenant }),
      ...(source.traceId === undefined ? {} : { correlation_uid: source.traceId }),
    },
    actor: {
      user: {
        uid: actor.id,
        type_id: userType,
        type: userTypeName,
        ...(groups.length === 0 ? {} : { groups: groups.map((role) => ({ name: role })) }),
      },
      ...(source.sessionId === undefined ? {} : { session: { uid: source.sessionId } }),
    },
    api: { operation: event.action, ...(source.requestId === undefined ? {} : { request: { uid: source.requestId } }) },
    src_endpoint: endpointOf(event),
    ...(source.userAgent === undefined ? {} : { http_request: { user_agent: source.userAgent } }),
    ...(resources.length === 0 ? {} : { resources }),
    ...(Object.keys(unmapped).length === 0 ? {} : { unmapped }),
  };
}

function statusOf({ outcome, detail }: AuditEvent): Pick<OcsfApiActivity, 'status_id' | 'status' | 'status_detail'> {
  if (outcome === 'success') return { status_id: 1, status: 'Success' };
  const error = typeof detail?.error === 'string' ? `: ${detail.error}` : '';
  return { status_id: 2, status: 'Failure', status_detail: `${outcome}${error}` };
}

/** API Activity requires a source: the address, or the service itself, or that nobody knows. */
function endpointOf({ source: { ip }, actor }: AuditEvent): OcsfApiActivity['src_endpoint'] {
  if (ip !== undefined && isIpAddress(ip)) return { ip };
  return { name: ip || (actor.type === 'user' ? 'unknown' : actor.id) };
}

function resourcesOf({ target, patient }: AuditEvent): NonNullable<OcsfApiActivity['resources']> {
  return [
    ...(target === undefined
      ? []
      : [{ type: target.type, ...(target.id === undefined ? { name: target.type } : { uid: target.id }) }]),
    ...(patient === undefined ? [] : [{ type: 'patient', uid: patient }]),
  ];
}

function unmappedOf({ purpose, actor, fields, detail }: AuditEvent): { readonly [key: string]: Json } {
  return {
    ...(purpose === undefined ? {} : { purpose }),
    ...(actor.onBehalfOf === undefined ? {} : { on_behalf_of: actor.onBehalfOf }),
    ...(fields === undefined ? {} : { fields }),
    ...(detail === undefined ? {} : { detail }),
  };
}
