import { memoryStores } from '@medzen/adapters-local';
import {
  type AuditFacts,
  type CallContext,
  defaultErasableKinds,
  type IdentityStore,
  MedzenError,
  openEvent,
} from '@medzen/core';
import { fakeClock } from '@medzen/testing';
import { describe, expect, test } from 'vitest';
import { accountingOfDisclosures } from './accounting-of-disclosures.ts';
import { createAuditLog } from './audit-log.ts';
import { eraseIdentity } from './erase-identity.ts';
import { createEvidence, verifyEvidence } from './evidence.ts';
import { exportEvents } from './export/export-events.ts';
import { monthlySummary } from './monthly-summary.ts';
import { createReview } from './review.ts';
import { reviewRules } from './review-rules.ts';
import { createSequencer } from './sequencer.ts';
import { createSigner } from './signer.ts';
import { tail } from './tail.ts';
import { verifyLog } from './verify-log.ts';

const signer = createSigner({ origin: 'example.org/audit', privateKey: new Uint8Array(32).fill(7) });
const scope = { tenant: 'clinic-a' };
const ctx: CallContext = {
  scope,
  actor: { id: 'officer-1', type: 'user', roles: ['privacy-officer'], tenant: 'clinic-a' },
  source: { ip: '192.0.2.9' },
};
const view: AuditFacts = {
  action: 'note.view',
  kind: 'read',
  outcome: 'success',
  patient: 'patient-1',
  actor: { id: 'provider-1', type: 'user', name: 'Ada Lovelace' },
  source: { ip: '192.0.2.7' },
  purpose: 'BTG',
  reason: 'No pulse',
};
const request = { kind: 'patient', value: 'patient-1', reason: 'Asked for', despiteRetention: true } as const;

function createHouse(kinds = defaultErasableKinds) {
  const clock = fakeClock();
  const stores = memoryStores({ clock, erasable: kinds });
  const audit = createAuditLog({ store: stores.audit, clock, erasable: { identities: stores.identities } });
  const sequencer = createSequencer({ memory: 'unguarded', store: stores.log, signer });
  const review = createReview({ ...stores, clock, rules: reviewRules({ vip: (patient) => patient === 'patient-1' }) });
  const exported = (): Promise<string> => new Response(exportEvents(audit.pages(scope, {}), 'ndjson')).text();
  return { clock, stores, audit, sequencer, review, exported };
}

describe('an audit log of erasable identities', () => {
  test('is read in clear by whoever may read it', async () => {
    const { clock, stores, audit, exported } = createHouse();
    const disclosure = { recipient: { name: 'Dr Roe' }, description: 'chart', basis: '45 CFR 164.512(a)' };
    await audit.recordMany([view, { ...view, disclosure }], { scope });
    const report = await audit.accessReport(scope, 'patient-1');
    expect(report.people.map(({ actor, accesses }) => [actor.id, accesses])).toEqual([['provider-1', 2]]);
    expect(report.events[0]).toMatchObject({
      patient: 'patient-1',
      actor: { name: 'Ada Lovelace' },
      source: view.source,
    });
    const requestedOn = clock.now().toISOString().slice(0, 10);
    const account = await accountingOfDisclosures(audit, scope, 'patient-1', { requestedOn, zone: 'UTC', clock });
    expect(account.report.disclosures.map(({ recipient }) => recipient.name)).toEqual(['Dr Roe']);
    const { lines } = await monthlySummary(stores.audit, scope, { clock });
    expect(lines).toMatchObject([{ actor: 'provider-1', accesses: 2, patients: 1 }]);
    expect(await exported()).toContain('"patient":"patient-1"');
  });

  test('says a pseudonym where an identity was erased, and is proved all the same', async () => {
    const { stores, audit, sequencer, exported } = createHouse();
    const { id } = await audit.record(view, { scope });
    await sequencer.tick();
    expect(await eraseIdentity(stores, ctx, request)).toEqual({ status: 'erased' });
    await sequencer.tick();
    expect((await audit.accessReport(scope, 'patient-1')).total).toBe(0);
    const text = await exported();
    expect(text).not.toContain('patient-1');
    expect(text).toMatch(/"patient":"erasable:v1:[\w-]{43}"/);
    expect(text).toContain('"action":"identity.erase"');
    expect(await verifyLog({ store: stores.log, verifierKeys: [signer.verifierKey] })).toMatchObject({
      ok: true,
      size: 2,
    });
    const evidence = await createEvidence(stores.log, id);
    const verdict = await verifyEvidence(evidence, [signer.verifierKey]);
    expect(verdict).toMatchObject({ ok: true, event: { patient: expect.stringMatching(/^erasable:v1:/) } });
  });

  test('is reviewed by who people are, and queued by pseudonyms, until these are erased', async () => {
    const { stores, audit, sequencer, review } = createHouse();
    await audit.recordMany([view, view, { ...view, actor: { id: 'patient-1', type: 'user' } }], { scope });
    await sequencer.tick();
    await review.scan();
    const { reviews } = await review.list(scope);
    const rules = reviews.map(({ rule, actor, patient }) => `${rule} ${actor} ${patient}`).sort();
    expect(rules).toEqual([
      'break-glass patient-1 patient-1',
      'break-glass provider-1 patient-1',
      'break-glass provider-1 patient-1',
      'self-access patient-1 patient-1',
      'vip patient-1 patient-1',
      'vip provider-1 patient-1',
    ]);
    const own = await review.signOff(
      { scope, actor: { id: 'provider-1', type: 'user', roles: [], tenant: 'clinic-a' }, source: {} },
      { id: reviews.find(({ actor }) => actor === 'provider-1')?.id ?? '', outcome: 'appropriate' },
    );
    expect(own.status).toBe('own');
    await eraseIdentity(stores, ctx, request);
    await eraseIdentity(stores, ctx, { ...request, kind: 'user' });
    expect(JSON.stringify(await review.list(scope))).not.toContain('patient-1');
  });

  test('ships pseudonyms unless told to ship who they are', async () => {
    const { stores, audit, sequencer } = createHouse();
    await audit.record(view, { scope });
    await sequencer.tick();
    const first = async (name: string, options: object): Promise<string | undefined> => {
      for await (const { events } of tail(stores, { name, ...options })) return events[0]?.event.patient;
      return undefined;
    };
    expect(await first('siem', {})).toMatch(/^erasable:v1:/);
    expect(await first('house', { identities: stores.identities })).toBe('patient-1');
  });
});

describe('createAuditLog with erasable', () => {
  test('records nothing while the store would keep identities in clear', async () => {
    const { stores, audit } = createHouse(['patient']);
    let ran = false;
    const read = audit.audited({ ...view, kind: 'read' }, { scope }, () => {
      ran = true;
    });
    await expect(read).rejects.toMatchObject({ code: 'invalid_configuration' });
    expect(ran).toBe(false);
    await expect(audit.record(view, { scope })).rejects.toMatchObject({ code: 'invalid_configuration' });
    expect(stores.inspect.countEvents()).toBe(0);
    stores.inspect.keepErasable(defaultErasableKinds);
    expect(await audit.record(view, { scope })).toMatchObject({ status: 'durable' });
  });

  test('fails closed while nobody can tell', async () => {
    const { stores } = createHouse();
    const kinds = () => Promise.reject(new Error('down'));
    const audit = createAuditLog({ store: stores.audit, erasable: { identities: { kinds } } });
    await expect(audit.record(view, { scope })).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});

describe('eraseIdentity', () => {
  test('refuses while the event is young, says until when, and leaves a denied event', async () => {
    const { clock, stores, audit } = createHouse();
    await audit.record(view, { scope });
    const young = await eraseIdentity({ ...stores, clock }, ctx, { ...request, despiteRetention: false });
    expect(young).toEqual({ status: 'too_young', keptUntil: expect.stringMatching(/^20\d\d-/) });
    const { events } = await audit.search(scope, { action: 'identity.erase' });
    expect(events).toMatchObject([{ outcome: 'denied', detail: { refused: 'too_young' }, reason: 'Asked for' }]);
  });

  test('answers a second time that there is nobody, and writes nothing', async () => {
    const { stores, audit } = createHouse();
    await audit.record(view, { scope });
    expect(await eraseIdentity(stores, ctx, request)).toEqual({ status: 'erased' });
    const count = stores.inspect.countEvents();
    expect(await eraseIdentity(stores, ctx, request)).toEqual({ status: 'absent' });
    expect(stores.inspect.countEvents()).toBe(count);
  });

  test('begins again when a writer gives the identity another pseudonym meanwhile, and names all', async () => {
    const { stores, audit } = createHouse();
    await audit.record(view, { scope });
    const [first = ''] = await stores.identities.pseudonyms(scope, request);
    const second = `erasable:v1:${'B'.repeat(43)}`;
    const named: unknown[] = [];
    let others: readonly string[] = [];
    const identities: Pick<IdentityStore, 'pseudonyms' | 'erase'> = {
      pseudonyms: async () => [first, ...others],
      erase: async (of, erasure, event) => {
        const said = openEvent(event.body).detail?.pseudonyms;
        named.push(said);
        if (named.length === 1) others = [second]; // between the look and the erasure
        if (said === undefined)
          throw new MedzenError('conflict', 'The event must name every pseudonym of the identity');
        return stores.identities.erase(of, erasure, event);
      },
    };
    expect(await eraseIdentity({ ...stores, identities }, ctx, request)).toEqual({ status: 'erased' });
    expect(named).toEqual([undefined, [first, second]]);
    expect((await audit.search(scope, { action: 'identity.erase' })).events).toHaveLength(1);
  });

  test('gives up with a conflict that says so, when writers are faster each time', async () => {
    const { stores, audit } = createHouse();
    await audit.record(view, { scope });
    let tries = 0;
    const erase = async () => {
      tries++;
      throw new MedzenError('conflict', 'The event must name every pseudonym of the identity');
    };
    const deps = { ...stores, identities: { ...stores.identities, erase } };
    await expect(eraseIdentity(deps, ctx, request)).rejects.toMatchObject({ code: 'conflict' });
    expect(tries).toBe(8);
    expect(await stores.identities.pseudonyms(scope, request)).toHaveLength(1);
  });

  test('lets one erase oneself, and the event names one no more', async () => {
    const { stores, audit } = createHouse();
    await audit.record(view, { scope });
    const self: CallContext = {
      scope,
      actor: { id: 'provider-1', type: 'user', roles: [], tenant: 'clinic-a' },
      source: {},
    };
    const asked = { kind: 'user', value: 'provider-1', reason: 'Leaving', despiteRetention: true } as const;
    expect(await eraseIdentity(stores, self, asked)).toEqual({ status: 'erased' });
    expect(await stores.identities.pseudonyms(scope, asked)).toEqual([]);
  });

  test.each(['', '  ', 'patient-1 has asked'])('takes no reason like %j', async (reason) => {
    const { stores, audit } = createHouse();
    await audit.record(view, { scope });
    await expect(eraseIdentity(stores, ctx, { ...request, reason })).rejects.toBeInstanceOf(MedzenError);
    expect(await stores.identities.pseudonyms(scope, request)).toHaveLength(1);
  });
});
