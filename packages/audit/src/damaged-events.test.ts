import { memoryStores } from '@medzen/adapters-local';
import { type AuditEvent, canonicalize, openStoredEvent, type SealedEvent, sealEvent } from '@medzen/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { accountingOfDisclosures } from './accounting-of-disclosures.ts';
import { createAuditLog } from './audit-log.ts';
import { exportEvents } from './export/export-events.ts';
import { openLeaves } from './open-leaves.ts';

const scope = { tenant: 'default' };
const whole = {
  action: 'recording.view',
  kind: 'read',
  outcome: 'success',
  tenant: 'default',
  actor: { id: 'u1', type: 'user', role: 'provider' },
  patient: 'p1',
  target: { type: 'recording', id: 'r1' },
  fields: ['title'],
  source: { ip: '192.0.2.7' },
} as const;
const one = (): SealedEvent => sealEvent(whole);
const encoder = new TextEncoder();

/** Rewrites that keep the id and the JSON, and take or turn a member that readers rely on. */
const rewrites: readonly (readonly [string, (event: AuditEvent) => unknown])[] = [
  ['no actor', ({ actor: _, ...rest }) => rest],
  ['a null actor', (event) => ({ ...event, actor: null })],
  ['an actor without an id', (event) => ({ ...event, actor: { type: 'user' } })],
  ['a list of actors', (event) => ({ ...event, actor: [event.actor] })],
  ['a role that is no text', (event) => ({ ...event, actor: { ...event.actor, role: 7 } })],
  ['no time', ({ at: _, ...rest }) => rest],
  ['a time that is none', (event) => ({ ...event, at: 'x' })],
  ['no action', ({ action: _, ...rest }) => rest],
  ['no outcome', ({ outcome: _, ...rest }) => rest],
  ['no tenant', ({ tenant: _, ...rest }) => rest],
  ['a null target', (event) => ({ ...event, target: null })],
  ['a null source', (event) => ({ ...event, source: null })],
  ['fields that are no list', (event) => ({ ...event, fields: 'title' })],
  ['a patient that is no text', (event) => ({ ...event, patient: { id: 'p1' } })],
  ['a detail that is no object', (event) => ({ ...event, detail: 'x' })],
  ['a disclosure that is no object', (event) => ({ ...event, disclosure: 'x' })],
];

describe.each(rewrites)('an event rewritten to have %s', (_title, rewrite) => {
  async function altered() {
    const stores = memoryStores();
    const [sound, bad] = [one(), one()];
    await stores.audit.append(scope, [sound, bad]);
    const event = openStoredEvent(bad.body);
    if (event === undefined) throw new Error('It was sealed just now');
    stores.inspect.damage(bad.id, encoder.encode(JSON.stringify(rewrite(event))));
    return { stores, bad, log: createAuditLog({ store: stores.audit }) };
  }

  test('is named as damaged by searches and reports, which count the others', async () => {
    const { bad, log } = await altered();
    expect(await log.search(scope, { patient: 'p1' })).toMatchObject({ events: [{}], damaged: [bad.id] });
    expect(await log.accessReport(scope, 'p1')).toMatchObject({
      total: 1,
      people: [{ accesses: 1 }],
      damaged: [bad.id],
    });
    const { remarks } = await accountingOfDisclosures(log, scope, 'p1', { requestedOn: '2026-12-01', zone: 'UTC' });
    expect(remarks.damaged).toEqual([bad.id]);
  });

  test('is named by an export', async () => {
    const { bad, log } = await altered();
    for (const format of ['ndjson', 'csv', 'fhir-r4', 'fhir-r5', 'ocsf', 'access-log'] as const) {
      const named: string[] = [];
      const stream = exportEvents(log.pages(scope, { patient: 'p1' }), format, {
        site: 'clinic',
        onEnd: ({ damaged }) => {
          named.push(...damaged);
        },
      } as Parameters<typeof exportEvents>[2]);
      await new Response(stream).text();
      expect(named, format).toEqual([bad.id]);
    }
  });

  test('is a damaged leaf', async () => {
    const { stores, bad } = await altered();
    const [stored] = await Promise.all([stores.inspect.eventsFor(bad.id)]);
    const [body] = stored;
    expect(openLeaves([{ index: 0, eventId: bad.id, ...(body && { body }) }])).toEqual({
      events: [],
      purged: 0,
      damaged: [{ index: 0, eventId: bad.id }],
    });
  });
});

test('the opener throws for no bytes, and an event that it opens can be read by every export', async () => {
  const base = openStoredEvent(one().body);
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => encoder.encode(text)),
      ),
      fc.constantFrom(...Object.keys(base ?? {})),
      fc.jsonValue(),
      async (bytes, member, value) => {
        openStoredEvent(bytes);
        const opened = openStoredEvent(encoder.encode(canonicalize({ ...base, [member]: value })));
        if (opened === undefined) return;
        const log = {
          pages: async function* () {
            yield { events: [opened], damaged: [] };
          },
        };
        await new Response(exportEvents(log.pages(), 'csv')).text();
      },
    ),
  );
});

test('an event that SQL of a host wrote without a source is read as one without', () => {
  const { source: _, ...rest } = openStoredEvent(one().body) ?? {};
  expect(openStoredEvent(encoder.encode(canonicalize(rest)))).toMatchObject({ source: {} });
});
