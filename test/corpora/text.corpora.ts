import { createAuditLog, createSequencer, createSigner, exportEvents, verifyLog } from '@medzen/audit';
import type { AuditFacts } from '@medzen/core';
import { pgWire, sqlStores } from '@medzen/sql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../postgres.ts';
import { corpus } from './corpus.ts';

type Cases = { readonly cases: Readonly<Record<string, readonly string[]>> };
interface Clinical {
  readonly sections: readonly string[];
  readonly notes: readonly string[];
}
interface Other {
  readonly names: readonly string[];
  readonly multilingual: readonly { readonly lines: readonly string[] }[];
  readonly reported: readonly { readonly text: string }[];
  readonly probe: readonly string[];
}

const clinical = corpus<Clinical>('benign-clinical.json');
const other = corpus<Other>('benign-other.json');
const hostile = ['hostile-sqli.json', 'hostile-xss.json', 'hostile-xss-lists.json'].flatMap((name) =>
  Object.values(corpus<Cases>(name).cases).flat(),
);
const naughty = corpus<readonly string[]>('naughty-strings.json');
const benign = [
  ...clinical.sections,
  ...clinical.notes,
  ...other.names,
  ...other.multilingual.flatMap(({ lines }) => lines),
  ...other.reported.map(({ text }) => text),
  ...other.probe,
];
/** Each once, without NUL, which Postgres has no text for. */
const texts = [...new Set([...benign, ...hostile, ...naughty])].filter((text) => text !== '' && !text.includes('\0'));

/** An event that carries the text wherever a host's text can stand. */
const factsOf = (text: string): AuditFacts => ({
  action: 'note.view',
  kind: 'read',
  outcome: 'success',
  patient: text.slice(0, 256).toWellFormed(),
  actor: { id: text.slice(0, 256).toWellFormed(), type: 'user' },
  source: { userAgent: text.slice(0, 512).toWellFormed() },
  reason: text.slice(0, 2048).toWellFormed(),
});

let db: FreshDatabase;
beforeAll(async () => {
  db = await freshDatabase();
});
afterAll(() => db.drop());

test('the corpora are whole', () => {
  expect([clinical.sections.length, clinical.notes.length, other.names.length]).toEqual([851, 133, 5683]);
  expect([hostile.length, naughty.length]).toEqual([4404, 515]);
});

test('clinical notes, names and attacks alike are text: written, found by it, sealed and given back as they were', async () => {
  const { audit: store, log } = sqlStores(pgWire(db.pool));
  const [audit, scope] = [createAuditLog({ store }), { tenant: 'default' }];
  const written = texts.map(factsOf);
  for (let at = 0; at < written.length; at += 500) await audit.recordMany(written.slice(at, at + 500), { scope });

  const find = async ({ patient = '', reason }: AuditFacts): Promise<void> => {
    const found = [];
    for await (const { events } of audit.pages(scope, { patient })) found.push(...events);
    expect(new Set(found.map((event) => event.patient))).toEqual(new Set([patient]));
    expect(found.some((event) => event.reason === reason && event.actor.id === patient)).toBe(true);
  };
  for (let at = 0; at < written.length; at += 10) await Promise.all(written.slice(at, at + 10).map(find));

  const signer = createSigner({ origin: 'clinic.example/audit', privateKey: new Uint8Array(32).fill(7) });
  const sequencer = createSequencer({ memory: 'unguarded', store: log, signer, batchSize: 1000 });
  for (let status = ''; status !== 'idle'; ) status = (await sequencer.tick()).status;
  const verdict = await verifyLog({ store: log, verifierKeys: [signer.verifierKey] });
  expect(verdict).toMatchObject({ ok: true, size: written.length });

  const lines = await new Response(exportEvents(audit.pages(scope, { limit: 1000 }), 'ndjson')).text();
  const given = lines.split('\n').flatMap((line) => (line.includes('"action"') ? [JSON.parse(line)] : []));
  expect(new Set(given.map(({ reason }) => reason))).toEqual(new Set(written.map(({ reason }) => reason)));
}, 300_000);
