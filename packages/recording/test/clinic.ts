import { type MemoryObjects, type MemoryStores, memoryObjects, memoryStores } from '@medzen/adapters-local';
import {
  type AuditEvent,
  type CallContext,
  MedzenError,
  openEvent,
  type Recording,
  type RetentionFact,
  type Scope,
  type Stores,
} from '@medzen/core';
import type { WebhookRequest } from '@medzen/core/webhooks';
import { type FakeClock, fakeClock, fakeIds, fakeRandom } from '@medzen/testing';
import { startTwilioServer, type TwilioCallback, type TwilioServer } from '@medzen/testing/twilio-server';
import {
  createRecordings,
  createRetention,
  georgiaPsychologist,
  type IngestResult,
  type Provider,
  type Recordings,
  type RecordingsDeps,
  type RetentionWarning,
  retentionRules,
  twilio,
} from '../src/index.ts';

/** What a test may break: called with the name of each store method before it runs, and after it has run. */
export type Fault = (method: string, when: 'before' | 'after') => void;

/** A clinic with everything real but the database (memory) and Twilio (the strict stand-in, over HTTP). */
export interface Clinic {
  readonly clock: FakeClock;
  readonly stores: MemoryStores;
  readonly objects: MemoryObjects;
  readonly server: TwilioServer;
  readonly provider: Provider;
  readonly recordings: Recordings;
  readonly warnings: RetentionWarning[];
  readonly scope: Scope;
  readonly patient: CallContext;
  readonly doctor: CallContext;
  readonly stranger: CallContext;
  readonly admin: CallContext;
  /** Of another tenant, with every role there. */
  readonly outsider: CallContext;
  /** Breaks calls of the recording, consent and audit stores (`recordings.change`, …) and of the objects (`objects.put`, …). */
  fault: Fault | undefined;
  /** A second process over the same stores. */
  another(deps?: Partial<RecordingsDeps>): Recordings;
  consent(sessionId?: string): Promise<void>;
  /** Consents and starts. */
  start(sessionId?: string, room?: string): Promise<Recording>;
  /** Verifies and takes in. */
  ingest(callback: TwilioCallback): Promise<IngestResult>;
  /** Starts, ends the room, takes in everything, up to `uploading`. */
  uploading(): Promise<Recording>;
  /** The same up to `available`. */
  available(): Promise<Recording>;
  /** Moves on to thirty days before a deadline, lets the sweep warn of it, and moves on to the deadline. */
  warnedUntil(deadline: string): Promise<void>;
  fact(type: RetentionFact['type'], date: string): Promise<void>;
  /** All audit events, oldest first. */
  events(): Promise<AuditEvent[]>;
  get(id: string): Promise<Recording>;
  /** Keys and versions in the object store under a prefix. */
  versions(prefix: string): Promise<number>;
  close(): Promise<void>;
}

const tenant = 'clinic';

export function person(id: string, roles: readonly string[], of: string = tenant): CallContext {
  return {
    scope: { tenant: of },
    actor: { id, type: 'user', roles, tenant: of },
    source: { ip: '192.0.2.7', userAgent: 'test' },
  };
}

export const acknowledged = { recording: true, storage: true, access: true, retention: true } as const;

export function webhook(callback: TwilioCallback): WebhookRequest {
  return { url: callback.url, headers: new Headers(callback.headers), body: new TextEncoder().encode(callback.body) };
}

export function down(): MedzenError {
  return new MedzenError('store_unavailable', 'Down for the test');
}

/** A database instead of memory: its stores, and a way to move its clock along with the clinic's. */
export interface ClinicDatabase {
  readonly stores: Stores;
  tick(now: Date): Promise<unknown>;
}

/**
 * Opens a clinic.
 *
 * @param more - parts to use instead of the usual ones
 * @param database - stores to use instead of memory; `stores.inspect` then sees nothing
 */
export async function openClinic(more: Partial<RecordingsDeps> = {}, database?: ClinicDatabase): Promise<Clinic> {
  const clock = fakeClock('2026-11-21T15:00:00.000Z');
  const random = fakeRandom(1);
  const server = await startTwilioServer({ clock });
  const stores = { ...memoryStores({ clock }), ...database?.stores };
  const objects = memoryObjects({ clock });
  const warnings: RetentionWarning[] = [];
  const sleep = () => Promise.resolve();
  const provider = twilio({
    accountSid: server.accountSid,
    authToken: server.authToken,
    baseUrl: server.url,
    allowLoopback: true,
    statusCallback: 'http://127.0.0.1/webhooks/twilio',
    sleep,
  });
  const breakable = <T extends object>(name: string, target: T): T =>
    new Proxy(target, {
      get: (object, property) => {
        const member: unknown = Reflect.get(object, property);
        if (typeof member !== 'function') return member;
        return async (...args: unknown[]): Promise<unknown> => {
          await database?.tick(clock.now());
          clinic.fault?.(`${name}.${String(property)}`, 'before');
          const result: unknown = await Reflect.apply(member, object, args);
          clinic.fault?.(`${name}.${String(property)}`, 'after');
          return result;
        };
      },
    });
  const deps: RecordingsDeps = {
    stores: {
      recordings: breakable('recordings', stores.recordings),
      consents: breakable('consents', stores.consents),
      audit: breakable('audit', stores.audit),
    },
    objects: breakable('objects', objects),
    providers: { twilio: provider },
    retention: createRetention({ rules: retentionRules, policies: [georgiaPsychologist] }),
    retentionClass: { jurisdiction: 'US-GA', providerClass: 'psychologist', zone: 'America/New_York' },
    notifier: { retentionWarning: async (warning) => void warnings.push(warning) },
    clock,
    ids: fakeIds(clock, random),
    random,
    sleep,
    ...more,
  };
  const clinic: Clinic = {
    clock,
    stores,
    objects,
    server,
    provider,
    recordings: createRecordings(deps),
    warnings,
    scope: { tenant },
    patient: person('p1', ['patient']),
    doctor: person('d1', ['provider']),
    stranger: person('s1', ['provider']),
    admin: person('a1', ['system_admin']),
    outsider: person('d1', ['provider', 'system_admin', 'compliance_officer'], 'elsewhere'),
    fault: undefined,
    another: (changed = {}) => createRecordings({ ...deps, ...changed }),
    consent: async (sessionId = 's-1') => {
      for (const ctx of [clinic.patient, clinic.doctor])
        await clinic.recordings.consent.give(
          {
            sessionId,
            patient: 'p1',
            acknowledgements: acknowledged,
            textVersion: '2026-01',
            text: 'May we record this visit?',
            language: 'en',
            method: 'click',
            location: 'US-GA',
          },
          ctx,
        );
    },
    start: async (sessionId = 's-1', room = server.createRoom()) => {
      await clinic.consent(sessionId);
      return clinic.recordings.start(startInput(room, sessionId), clinic.doctor);
    },
    ingest: async (callback) => {
      const verified = provider.verify(webhook(callback));
      if (!verified.ok) throw new Error(`not verified: ${verified.reason}`);
      const [event] = verified.events;
      if (event === undefined) throw new Error('no event');
      return clinic.recordings.ingest(event, clinic.scope);
    },
    uploading: async () => {
      const { id, providerRef } = await clinic.start();
      clock.advance(60_000);
      server.endRoom(providerRef);
      for (const callback of server.outbox.splice(0)) await clinic.ingest(callback);
      server.finishCompositions(providerRef);
      for (const callback of server.outbox.splice(0)) await clinic.ingest(callback);
      return clinic.get(id);
    },
    available: async () => {
      const { id } = await clinic.uploading();
      return clinic.recordings.transfer(id, clinic.scope);
    },
    warnedUntil: async (deadline) => {
      clock.set(new Date(Date.parse(deadline) - 30 * 24 * 60 * 60_000));
      await clinic.recordings.sweep(clinic.scope);
      clock.set(deadline);
    },
    fact: async (type, date) => {
      await clinic.recordings.noteFact({ patient: 'p1', type, date, zone: 'America/New_York' }, clinic.admin);
    },
    events: async () => {
      const found: AuditEvent[] = [];
      let cursor: string | undefined;
      do {
        const page = await stores.audit.search(clinic.scope, {
          limit: 1000,
          ...(cursor === undefined ? {} : { cursor }),
        });
        found.push(...page.events.map(({ body }) => openEvent(body)));
        cursor = page.cursor;
      } while (cursor !== undefined);
      return found.reverse();
    },
    get: async (id) => {
      const recording = await stores.recordings.get(clinic.scope, id);
      if (recording === undefined) throw new Error('no such recording');
      return recording;
    },
    versions: async (prefix) => (await objects.listVersions(prefix)).versions.length,
    close: () => server.close(),
  };
  return clinic;
}

export function startInput(providerRef: string, sessionId = 's-1'): Parameters<Recordings['start']>[0] {
  return {
    sessionId,
    patient: 'p1',
    participants: [
      { id: 'p1', role: 'patient', location: 'US-GA' },
      { id: 'd1', role: 'provider', location: 'US-GA' },
    ],
    provider: 'twilio',
    providerRef,
  };
}
