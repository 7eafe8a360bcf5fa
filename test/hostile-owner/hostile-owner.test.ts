import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSequencer, type LogVerdict, verifyLog } from '@medzen/audit';
import { createSamples } from '@medzen/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cell, cellsOf, evidence } from './cells.ts';
import { type Clinic, hostileClinic, scope, signer, storesInside } from './clinic.fixture.ts';
import { noEvidence, notProvable } from './not-provable.ts';
import { ask, type Said } from './tools.ts';

const guide = join(import.meta.dirname, '../../docs/guides/threat-model.md');
const [begin, end] = ['<!-- matrix: written by test/hostile-owner, do not edit -->', '<!-- end of the matrix -->'];

let clinic: Clinic;
let cells: readonly Cell[];
let sound: Said;

beforeAll(async () => {
  clinic = await hostileClinic();
  cells = await cellsOf(clinic.owner);
  sound = await inTransaction('SELECT 1');
}, 240_000);
afterAll(() => clinic?.db.drop());

/** What the tools say of what the owner does, which is undone then. Where a constraint of the table stands in his way, he drops them all. */
async function inTransaction(sql: string, brief = false): Promise<Said> {
  const { owner } = clinic;
  await owner.query('BEGIN');
  try {
    await owner.query('SET LOCAL session_replication_role = replica; SAVEPOINT cell');
    try {
      await owner.query(sql);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('23'))) throw error;
      await owner.query('ROLLBACK TO SAVEPOINT cell');
      const { rows } = await owner.query<{ drop: string }>(
        `
        SELECT format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', c.conrelid::regclass, c.conname) AS drop FROM pg_constraint c
        JOIN pg_class t ON t.oid = c.conrelid AND NOT t.relispartition
        WHERE c.connamespace = 'medzen'::regnamespace AND c.contype IN ('c', 'u', 'p', 'f') AND strpos($1, t.oid::regclass::text) > 0`,
        [sql],
      );
      for (const { drop } of rows) await owner.query(drop);
      await owner.query(sql);
    }
    await owner.query('SET LOCAL session_replication_role = origin');
    return await ask(clinic, brief);
  } finally {
    await owner.query('ROLLBACK');
  }
}

/** Without what was said before anything was done. */
function news(said: Said): Said {
  const of = (tool: keyof Said): readonly string[] => said[tool].filter((each) => !sound[tool].includes(each));
  return {
    verifyLog: of('verifyLog'),
    search: of('search'),
    accessReport: of('accessReport'),
    published: of('published'),
    doctor: of('doctor'),
  };
}

const nameOf = ({ table, change }: Cell): string => `${table}: ${change}`;
const reasonOf = (cell: Cell): string | undefined =>
  notProvable[nameOf(cell)] ?? notProvable[`${cell.table}: ${cell.change.replace(/^(update|swap) /, '')}`];

describe('a purge that was forged as an event, and sealed,', () => {
  const manifestSha256 = '00'.repeat(32);
  /** Appends it, has it sealed, deletes what it names and notes it in the archive; all that a hostile owner can do. */
  const forged = async (
    [first, finish]: readonly [number, number],
    change: { readonly at?: string; readonly years?: number; readonly end?: number; readonly target?: string } = {},
  ): Promise<LogVerdict> => {
    const { owner, db, checkpoint } = clinic;
    await owner.query('BEGIN');
    try {
      const stores = storesInside(owner, db);
      const { rows } = await owner.query<{ now: string }>('SELECT medzen.format_instant(medzen.now()) AS now');
      const now = new Date(change.at ?? rows[0]?.now ?? '');
      const end = change.end ?? finish;
      const event = createSamples({ scope, clock: { now: () => now } }).event({
        ...{ action: 'audit.purge', kind: 'delete', outcome: 'success', actor: { id: 'retention', type: 'service' } },
        target: { type: 'audit_archive', id: change.target ?? `${first}-${end}` },
        detail: { first, end, years: change.years ?? 6, manifestSha256 },
      });
      await stores.audit.append(scope, [event]);
      const sequencer = createSequencer({ store: stores.log, signer, memory: 'unguarded' });
      for (let status = ''; status !== 'idle'; ) status = (await sequencer.tick()).status;
      await owner.query('SET LOCAL session_replication_role = replica');
      await owner.query(
        `DELETE FROM medzen.audit_event WHERE id IN (SELECT event_id FROM medzen.audit_leaf WHERE leaf_index >= ${first} AND leaf_index < ${finish})`,
      );
      await owner.query(`DELETE FROM medzen.archive_manifest WHERE first_leaf >= ${first}`);
      await owner.query(`INSERT INTO medzen.archive_manifest SELECT ${first}, ${end}, '2010-01-01', '${event.id}', '2010-01-01',
        decode('${manifestSha256}', 'hex'), '2010-01-01', '${event.id}', '2020-01-01', '9'`);
      await owner.query('SET LOCAL session_replication_role = origin');
      const clock = { now: () => new Date(rows[0]?.now ?? '') };
      return await verifyLog({ store: stores.log, verifierKeys: [signer.verifierKey], checkpoint, clock });
    } finally {
      await owner.query('ROLLBACK');
    }
  };

  test.each([
    ['of events that are young', [8, 10], {}, 'too_young'],
    ['of all that is young before it', [4, 12], {}, 'too_young'],
    ['dated ahead, so that they seem old', [8, 10], { at: '2040-01-01T00:00:00.000Z' }, 'dated_ahead'],
    ['of fewer years than any event is kept', [8, 10], { years: 0 }, undefined],
    ['of leaves that were sealed after it', [8, 10], { end: 4000 }, undefined],
    ['of another range than it says', [8, 10], { target: '8-9' }, undefined],
  ] as const)('%s is not believed', async (_what, range, change, doubt) => {
    const verdict = await forged(range, change);
    const missing = verdict.ok ? [] : verdict.findings.filter(({ kind }) => kind === 'event_missing');
    expect(missing.length).toBeGreaterThan(0);
    if (doubt !== undefined) expect(missing).toContainEqual(expect.objectContaining({ purge: doubt }));
  });
});

describe('a hostile owner of the database', () => {
  test('meets a log that every tool calls sound', () => {
    expect(sound).toMatchObject({ verifyLog: [], search: [], accessReport: [], published: [] });
  });

  test('has no table that nobody has thought of', async () => {
    const { rows } = await clinic.owner.query<{ name: string }>(`
      SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'medzen'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`);
    const known = [...Object.keys(evidence), ...Object.keys(noEvidence)];
    expect(rows.map(({ name }) => name).sort()).toEqual(known.sort());
  });

  test('is found by some tool in every cell, or the reason stands in the threat model', async () => {
    const lines: string[] = [];
    const wrong: string[] = [];
    for (const cell of cells.filter((each) => nameOf(each).includes(process.env.CELLS ?? ''))) {
      const said = news(await inTransaction(cell.sql, cell.change.startsWith('swap ')));
      const found = Object.values(said).some((each) => each.length > 0);
      const reason = reasonOf(cell);
      if (!found && reason === undefined) wrong.push(`${nameOf(cell)}: nobody finds it, and nobody says why`);
      if (found && reason !== undefined)
        wrong.push(`${nameOf(cell)}: is found, and called not provable: ${JSON.stringify(said)}`);
      for (const [tool, each] of Object.entries(said))
        for (const one of each)
          if (/scapegoat is shown|TypeError|throws internal/.test(one)) wrong.push(`${nameOf(cell)}: ${tool} ${one}`);
      lines.push(
        `| ${cell.table} | ${cell.change} | ${[
          said.verifyLog,
          said.search,
          said.accessReport,
          said.published,
          said.doctor,
        ]
          .map((each) => each.join(', '))
          .join(' | ')} | ${found ? '' : (reason ?? '')} |`,
      );
    }
    expect(wrong).toEqual([]);

    const matrix = [
      begin,
      '',
      '| Table | What the owner does | verifyLog | search | accessReport | published log | doctor | Not provable, because |',
      '|---|---|---|---|---|---|---|---|',
      ...lines,
      '',
      '| Table that holds no evidence | Because |',
      '|---|---|',
      ...Object.entries(noEvidence).map(([table, reason]) => `| ${table} | ${reason} |`),
      '',
      end,
    ].join('\n');
    const text = readFileSync(guide, 'utf8');
    const written = text.slice(0, text.indexOf(begin)) + matrix + text.slice(text.indexOf(end) + end.length);
    if (process.env.WRITE_MATRIX !== undefined) writeFileSync(guide, written);
    else expect(text, 'run with WRITE_MATRIX=1 to write the guide').toBe(written);
  }, 900_000);
});
