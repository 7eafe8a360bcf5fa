import { createAuditLog, createSequencer, publishLog, verifyLog } from '@medzen/audit';
import { runVerify } from '@medzen/audit/verify-cli';
import { isMedzenError } from '@medzen/core';
import { examineSql } from '@medzen/sql/doctor';
import { createSamples } from '@medzen/testing';
import { type Clinic, filesOver, scope, signer, storesInside } from './clinic.fixture.ts';

/** What each tool says of a database, in few words; nothing when it finds nothing wrong. */
export interface Said {
  readonly verifyLog: readonly string[];
  readonly search: readonly string[];
  readonly accessReport: readonly string[];
  /** Of the log as it is published after one more event was sealed: by the sequencer, the publisher, or medzen-verify. */
  readonly published: readonly string[];
  readonly doctor: readonly string[];
}

/**
 * Asks every tool, in the transaction that the owner's connection has open.
 *
 * @param brief - whether the slow ones are asked only when no other has found anything
 */
export async function ask(clinic: Clinic, brief = false): Promise<Said> {
  const { owner, db, checkpoint } = clinic;
  const stores = storesInside(owner, db);
  const log = createAuditLog({ store: stores.audit });
  const tool = async (work: () => Promise<readonly string[]>): Promise<readonly string[]> => {
    await owner.query('SAVEPOINT tool');
    try {
      return [...new Set(await work())].sort();
    } catch (error) {
      return [`throws ${isMedzenError(error) ? error.code : String(error)}`];
    } finally {
      await owner.query('ROLLBACK TO SAVEPOINT tool; RELEASE SAVEPOINT tool');
    }
  };
  const doubts = (page: { readonly damaged: readonly string[]; readonly unproved?: readonly string[] }): string[] => [
    ...(page.damaged.length > 0 ? ['damaged'] : []),
    ...((page.unproved ?? []).length > 0 ? ['unproved'] : []),
  ];
  const quick = {
    verifyLog: await tool(async () => {
      const verdict = await verifyLog({ store: stores.log, verifierKeys: [signer.verifierKey], checkpoint });
      return verdict.ok ? [] : verdict.findings.map(({ kind }) => kind);
    }),
    search: await tool(async () => {
      const found: string[] = [];
      for (const query of [
        {},
        { patient: 'vip' },
        { actor: 'snooper' },
        { actor: 'scapegoat' },
        { action: 'recording.view' },
      ])
        for await (const page of log.pages(scope, query)) {
          found.push(...doubts(page));
          // The one thing that must never be shown: somebody else under the event of who did it.
          if (
            page.events.some(
              ({ action, patient, actor }) => action === 'chart.open' && patient === 'vip' && actor.id === 'scapegoat',
            )
          )
            throw new Error('A scapegoat is shown');
        }
      return found;
    }),
    accessReport: await tool(async () => doubts(await log.accessReport(scope, 'vip'))),
  };
  if (brief && Object.values(quick).some((said) => said.length > 0)) return { ...quick, published: [], doctor: [] };
  return {
    ...quick,
    published: await tool(() => published(clinic)),
    doctor: await tool(async () => {
      // It begins and ends a transaction of its own, which would end this one.
      const inside = {
        query: (sql: string) => (/^(BEGIN|ROLLBACK)/.test(sql) ? Promise.resolve({ rows: [] }) : owner.query(sql)),
      };
      const { findings } = await examineSql(inside as unknown as Parameters<typeof examineSql>[0]);
      return findings.filter(({ severity }) => severity !== 'info').map(({ id }) => id);
    }),
  };
}

/** Seals what waits and one event more, publishes over what was published, and verifies that against the checkpoint held elsewhere. */
async function published(clinic: Clinic): Promise<readonly string[]> {
  const { owner, db, checkpoint } = clinic;
  const stores = storesInside(owner, db);
  const { files, target } = filesOver(clinic.published);
  const step = async (name: string, work: () => Promise<unknown>): Promise<string | undefined> => {
    try {
      await work();
      return undefined;
    } catch (error) {
      return `${name}: ${isMedzenError(error) ? error.code : String(error)}`;
    }
  };
  await stores.audit.append(scope, [createSamples({ scope }).event()]);
  const refused =
    (await step('sequencer', async () => {
      const sequencer = createSequencer({ store: stores.log, signer, memory: 'unguarded' });
      for (let status = ''; status !== 'idle'; ) {
        status = (await sequencer.tick()).status;
        if (status === 'conflict') throw new Error('never commits');
      }
    })) ?? (await step('publisher', () => publishLog({ store: stores.log, target, entries: true })));
  if (refused !== undefined) return [refused];
  const print: string[] = [];
  const code = await runVerify(['--key', signer.verifierKey, '--since', 'kept', 'https://log.example/'], {
    readFile: async () => new TextEncoder().encode(checkpoint),
    isFolder: async () => false,
    folder: () => target,
    web: () => ({ read: async (path) => files.get(path) }),
    bucket: async () => target,
    print: (text) => print.push(text),
    complain: (text) => print.push(text),
    version: '0',
  });
  return code === 0 ? [] : [`medzen-verify: ${code === 1 ? 'refused' : 'could not look'}`];
}
