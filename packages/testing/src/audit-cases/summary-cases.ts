import type { AccessSummary, AuditEventDraft } from '@medzen/core';
import { alteredEvent } from '../altered-event.ts';
import { holds, rejects, same } from '../assertions.ts';
import type { ContractCase } from '../contract.ts';
import { type CaseSamples, caseDefiner, type DefineCase } from '../define-case.ts';
import type { AuditStoreContext } from '../store-context.ts';

const define: DefineCase<AuditStoreContext> = caseDefiner('audit');

const day = 86_400_000;

/** Appends one event of each draft. */
async function append(tools: AuditStoreContext & CaseSamples, drafts: readonly Partial<AuditEventDraft>[]) {
  await tools.stores.audit.append(
    tools.scope,
    drafts.map((draft) => tools.mine.event(draft)),
  );
}

/** Everything from 2020 on. */
function summarize({ stores, scope, clock }: AuditStoreContext, limit?: number): Promise<AccessSummary> {
  const to = new Date(clock.now().getTime() + 1);
  return stores.audit.summarize(scope, { from: new Date('2020-01-01'), to, ...(limit === undefined ? {} : { limit }) });
}

/** `summarize`. */
export const summaryCases: readonly ContractCase<AuditStoreContext>[] = [
  define('summary.counts', 'counts accesses, distinct patients and types of target by actor', async (tools) => {
    const [note, visit] = [{ target: { type: 'note', id: 'n1' } }, { target: { type: 'visit', id: 'v1' } }];
    await append(tools, [
      { patient: 'p1', ...note },
      { patient: 'p1', ...note },
      { patient: 'p1', ...visit },
      { patient: 'p2', ...note },
      { patient: 'p3', target: { type: 'bill', id: 'b1' }, outcome: 'denied' },
      { patient: 'p4', outcome: 'failed' },
      { patient: 'p9', actor: { id: 'nurse-1', type: 'user' }, ...visit },
    ]);
    const month = tools.clock.now().toISOString().slice(0, 7);
    same(
      await summarize(tools),
      {
        lines: [
          {
            month,
            actor: 'provider-1',
            accesses: 4,
            patients: 2,
            targetTypes: 2,
            tables: ['note', 'visit'],
            refused: 2,
          },
          { month, actor: 'nurse-1', accesses: 1, patients: 1, targetTypes: 1, tables: ['visit'], refused: 0 },
        ],
        more: false,
      },
      'summary',
    );
  }),

  define('summary.patients', 'leaves out what concerns no patient', async (tools) => {
    const event = alteredEvent(tools.mine.event(), { patient: undefined });
    await tools.stores.audit.append(tools.scope, [event]);
    same(await summarize(tools), { lines: [], more: false }, 'summary');
  }),

  define('summary.months', 'keeps months apart, the latest first', async (tools) => {
    await append(tools, [{}]);
    const first = tools.clock.now().toISOString().slice(0, 7);
    await tools.advance(40 * day);
    await append(tools, [{}, {}]);
    const second = tools.clock.now().toISOString().slice(0, 7);
    const { lines } = await summarize(tools);
    same(
      lines.map(({ month, accesses }) => [month, accesses]),
      [
        [second, 2],
        [first, 1],
      ],
      'months',
    );
  }),

  define('summary.span', 'includes `from` and excludes `to`', async (tools) => {
    const { stores, scope, clock } = tools;
    const times: Date[] = [];
    for (let i = 0; i < 3; i++) {
      await append(tools, [{ patient: `p${i}` }]);
      times.push(clock.now());
      await tools.advance(1);
    }
    const [from = new Date(), , to = new Date()] = times;
    const count = async (a: Date, b: Date): Promise<number | undefined> =>
      (await stores.audit.summarize(scope, { from: a, to: b })).lines[0]?.accesses;
    same(await count(from, to), 2, 'without the last');
    same(await count(new Date(from.getTime() + 1), clock.now()), 2, 'without the first');
    same(await count(to, to), undefined, 'an empty span');
  }),

  define('summary.tenants', "counts one tenant's alone", async (tools) => {
    await tools.stores.audit.append(tools.otherScope, [tools.theirs.event(), tools.theirs.event()]);
    await append(tools, [{}]);
    same((await summarize(tools)).lines[0]?.accesses, 1, 'accesses');
  }),

  define('summary.limit', 'gives so many lines, says that there are more, and refuses a bad limit', async (tools) => {
    const { stores, scope } = tools;
    await append(
      tools,
      ['a', 'b', 'b', 'c'].map((id) => ({ actor: { id, type: 'user' } })),
    );
    const two = await summarize(tools, 2);
    same([two.lines.map(({ actor }) => actor), two.more], [['b', 'a'], true], 'two');
    holds(!(await summarize(tools, 3)).more, 'there are no more than three');
    for (const limit of [0, -1, 100_001, 1.5, Number.NaN])
      await rejects(summarize(tools, limit), 'invalid_input', `${limit}`);
    const wrong = { from: new Date('yesterday'), to: new Date() };
    await rejects(stores.audit.summarize(scope, wrong), 'invalid_input', 'a date that is none');
  }),
];
