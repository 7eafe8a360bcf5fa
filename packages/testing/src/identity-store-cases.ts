import {
  defaultErasableKinds,
  type ErasableIdentity,
  type IdentityErasureResult,
  openEvent,
  pseudonymPattern,
  type SealedEvent,
} from '@medzen/core';
import { at, holds, present, rejects, same, status } from './assertions.ts';
import type { ContractCase } from './contract.ts';
import { type CaseSamples, caseDefiner, type DefineCase } from './define-case.ts';
import type { Samples } from './samples.ts';
import type { IdentityStoreContext } from './store-context.ts';

const define: DefineCase<IdentityStoreContext> = caseDefiner('identities');

type Tools = IdentityStoreContext & CaseSamples;

const patient: ErasableIdentity = { kind: 'patient', value: 'patient-1' };
const year = 366 * 86_400_000;

/** Names, addresses and ids that no other text of the sample holds. */
function telling(samples: Samples): SealedEvent {
  return samples.event({
    actor: { id: 'provider-1', type: 'user', role: 'provider', name: 'Ada Ångström', onBehalfOf: 'guardian-1' },
    target: { type: 'public.patients', id: 'patient-1' },
    disclosure: { recipient: { name: 'Dr Roe', address: '1 Main St' }, description: 'chart', basis: 'request' },
    detail: { patient: 'kept' },
  });
}

async function storedText({ reader }: Tools, { id }: SealedEvent): Promise<string> {
  return new TextDecoder().decode(at(await reader.eventsFor(id), 0, 'stored'));
}

async function patientOf(tools: Tools, event: SealedEvent): Promise<string> {
  const text = present(openEvent(new TextEncoder().encode(await storedText(tools, event))).patient, 'patient');
  holds(pseudonymPattern.test(text), 'the patient is no pseudonym');
  return text;
}

/** The event of an erasure of what this pseudonym stands for. */
function erasing(
  samples: Samples,
  pseudonym: string,
  reason = 'Asked by the person',
  outcome: 'success' | 'denied' = 'success',
  // Writers that meet a value at the same time give it one each.
  all: readonly string[] = [],
): SealedEvent {
  return samples.event({
    action: 'identity.erase',
    kind: 'delete',
    outcome,
    actor: { id: 'privacy-officer', type: 'user' },
    target: { type: 'identity', id: pseudonym },
    patient: 'somebody-else',
    reason,
    ...(all.length > 1 && { detail: { pseudonyms: [...all] } }),
  });
}

async function erase(tools: Tools, identity = patient, despiteRetention = true): Promise<IdentityErasureResult> {
  const { identities } = tools.stores;
  const all = await identities.pseudonyms(tools.scope, identity);
  const event = erasing(tools.mine, all[0] ?? 'erasable:v1:none', undefined, undefined, all);
  return identities.erase(tools.scope, { ...identity, despiteRetention }, event);
}

async function found(tools: Tools, query: { readonly patient: string }): Promise<readonly string[]> {
  return (await tools.stores.audit.search(tools.scope, query)).events.map(({ id }) => id);
}

/** What every `IdentityStore`, and the `AuditStore` beside it, must do. */
export const identityStoreCases: readonly ContractCase<IdentityStoreContext>[] = [
  define('off', 'keeps every identity in clear unless told otherwise', async (tools) => {
    same(await tools.stores.identities.kinds(), [], 'kinds');
    const event = telling(tools.mine);
    await tools.stores.audit.append(tools.scope, [event]);
    same(await tools.reader.eventsFor(event.id), [event.body], 'stored');
    same(await tools.stores.identities.pseudonyms(tools.scope, patient), [], 'pseudonyms');
  }),

  define('pseudonymises', 'stores a pseudonym for what the kinds name, and the rest word for word', async (tools) => {
    await tools.keepErasable(defaultErasableKinds);
    same([...(await tools.stores.identities.kinds())].sort(), [...defaultErasableKinds].sort(), 'kinds');
    const event = telling(tools.mine);
    await tools.stores.audit.append(tools.scope, [event]);
    const text = await storedText(tools, event);
    for (const clear of ['patient-1', 'provider-1', 'guardian-1', 'Ada', '192.0.2.7'])
      holds(!text.includes(clear), `${clear} stands in the log`);
    const pseudonyms = /"erasable:v1:[A-Za-z0-9_-]{43}"/g;
    same(text.match(pseudonyms)?.length, 6, 'pseudonyms');
    const given = new TextDecoder()
      .decode(event.body)
      .replaceAll(/"(patient-1|provider-1|guardian-1|Ada Ångström|192\.0\.2\.7)"/g, '"*"');
    same(text.replaceAll(pseudonyms, '"*"'), given, 'the rest');
  }),

  define('pseudonymises.kinds', 'leaves what no kind names: services, other targets', async (tools) => {
    await tools.keepErasable(['user', 'recipient']);
    const service = tools.mine.event({ actor: { id: 'sweep', type: 'service' } });
    const disclosed = telling(tools.mine);
    await tools.stores.audit.append(tools.scope, [service, disclosed]);
    same(await tools.reader.eventsFor(service.id), [service.body], 'a service');
    const text = await storedText(tools, disclosed);
    for (const clear of ['Dr Roe', '1 Main St', 'provider-1'])
      holds(!text.includes(clear), `${clear} stands in the log`);
    for (const clear of ['"patient":"patient-1"', 'Ada', '192.0.2.7']) holds(text.includes(clear), `${clear} is gone`);
  }),

  define('same', 'gives one pseudonym to one value, and another to another tenant or kind', async (tools) => {
    await tools.keepErasable(['patient', 'user']);
    const [one, two] = [tools.mine.event(), tools.mine.event({ actor: { id: 'patient-1', type: 'user' } })];
    const theirs = tools.theirs.event();
    await tools.stores.audit.append(tools.scope, [one, two]);
    await tools.stores.audit.append(tools.otherScope, [theirs]);
    const pseudonym = await patientOf(tools, one);
    same(await patientOf(tools, two), pseudonym, 'again');
    same((await storedText(tools, two)).split(pseudonym).length, 2, 'the same text as a user');
    holds((await patientOf(tools, theirs)) !== pseudonym, 'two tenants share a pseudonym');
    same(await tools.stores.identities.pseudonyms(tools.scope, patient), [pseudonym], 'pseudonyms');
  }),

  define('search', 'finds by clear values, by pseudonyms, and what was written before the switch', async (tools) => {
    const { audit } = tools.stores;
    const before = tools.mine.event();
    await audit.append(tools.scope, [before]);
    await tools.keepErasable(defaultErasableKinds);
    const after = tools.mine.event({ target: { type: 'patient', id: 'patient-1' } });
    const other = tools.mine.event({ patient: 'patient-2', actor: { id: 'provider-2', type: 'user' } });
    await audit.append(tools.scope, [after, other]);
    const both = [after.id, before.id].sort();
    same([...(await found(tools, { patient: 'patient-1' }))].sort(), both, 'by patient');
    const ids = async (query: object): Promise<string[]> =>
      (await audit.search(tools.scope, query)).events.map(({ id }) => id).sort();
    same(await ids({ actor: 'provider-1' }), both, 'by actor');
    same(await ids({ actor: 'provider-1', patient: 'patient-1', from: tools.clock.now() }), both, 'by both, and time');
    same(await ids({ targetId: 'patient-1' }), [after.id], 'by target');
    same(await found(tools, { patient: await patientOf(tools, after) }), [after.id], 'by pseudonym');
    const first = await audit.search(tools.scope, { patient: 'patient-1', limit: 1 });
    const rest = await audit.search(tools.scope, {
      patient: 'patient-1',
      limit: 1,
      cursor: present(first.cursor, 'cursor'),
    });
    same([...first.events, ...rest.events].map(({ id }) => id).sort(), both, 'page by page');
  }),

  define('reveals', 'says what the pseudonyms stand for, beside the stored bytes', async (tools) => {
    const { audit, identities } = tools.stores;
    await tools.keepErasable(defaultErasableKinds);
    const event = tools.mine.event();
    await audit.append(tools.scope, [event]);
    const pseudonym = await patientOf(tools, event);
    const page = await audit.search(tools.scope, { patient: 'patient-1' });
    same(page.events[0]?.body, at(await tools.reader.eventsFor(event.id), 0, 'stored'), 'bytes');
    same(page.identities?.[pseudonym], 'patient-1', 'beside the page');
    same(Object.values(page.identities ?? {}).sort(), ['192.0.2.7', 'patient-1', 'provider-1'], 'all of them');
    const asked = [pseudonym, 'patient-1', `erasable:v1:${'A'.repeat(43)}`];
    same(await identities.reveal(tools.scope, asked), { [pseudonym]: 'patient-1' }, 'reveal');
  }),

  define(
    'proved',
    'names nobody whom the salt does not prove, and says for which pseudonyms',
    async (tools) => {
      const { audit, identities } = tools.stores;
      await tools.keepErasable(['patient']);
      const event = tools.mine.event();
      await audit.append(tools.scope, [event]);
      const pseudonym = await patientOf(tools, event);
      const whole = await audit.search(tools.scope, { patient: pseudonym });
      same([whole.identities, whole.unproved], [{ [pseudonym]: 'patient-1' }, undefined], 'before');
      await present(tools.alterIdentity, 'alterIdentity')(pseudonym, 'scapegoat');
      same(await identities.reveal(tools.scope, [pseudonym]), {}, 'reveal');
      const page = await audit.search(tools.scope, { patient: pseudonym });
      same(
        page.events.map(({ id }) => id),
        [event.id],
        'the event is there still',
      );
      same(page.identities?.[pseudonym], undefined, 'beside the page');
      same(page.unproved, [pseudonym], 'unproved');
    },
    ['direct-write'],
  ),

  define('summarises', 'counts by who they are', async (tools) => {
    const { audit } = tools.stores;
    await audit.append(tools.scope, [tools.mine.event()]);
    await tools.keepErasable(defaultErasableKinds);
    await audit.append(tools.scope, [tools.mine.event(), tools.mine.event({ patient: 'patient-2' })]);
    const [from, to] = [new Date(tools.clock.now().getTime() - year), new Date(tools.clock.now().getTime() + year)];
    const { lines } = await audit.summarize(tools.scope, { from, to });
    same(
      lines.map(({ actor, accesses, patients }) => ({ actor, accesses, patients })),
      [{ actor: 'provider-1', accesses: 3, patients: 2 }],
      'lines',
    );
  }),

  define(
    'retry',
    'takes a retry for what it is, and the same id with another identity for a conflict',
    async (tools) => {
      const { audit } = tools.stores;
      await tools.keepErasable(defaultErasableKinds);
      const event = tools.mine.event();
      await audit.append(tools.scope, [event]);
      const stored = await storedText(tools, event);
      await audit.append(tools.scope, [event, tools.mine.event()]);
      same(await storedText(tools, event), stored, 'stored');
      const other = new TextDecoder().decode(event.body).replace('patient-1', 'patient-2');
      const forged = { id: event.id, body: new TextEncoder().encode(other) };
      await rejects(audit.append(tools.scope, [forged]), 'audit_conflict', 'another patient');
      const longer = new TextDecoder().decode(event.body).replace('"TREAT"', '"HRESCH"');
      const changed = { id: event.id, body: new TextEncoder().encode(longer) };
      await rejects(audit.append(tools.scope, [changed]), 'audit_conflict', 'another purpose');
      same(await tools.reader.countEvents(), 2, 'events');
    },
  ),

  define('retry.after_erasure', 'makes no identity anew for a retry that comes after its erasure', async (tools) => {
    const { audit, identities } = tools.stores;
    await tools.keepErasable(['patient']);
    const event = tools.mine.event();
    await audit.append(tools.scope, [event]);
    status(await erase(tools), 'erased', 'erasure');
    await audit.append(tools.scope, [event]);
    same(await identities.pseudonyms(tools.scope, patient), [], 'pseudonyms');
  }),

  define('hostile', 'takes a text that looks like a pseudonym for any other value', async (tools) => {
    const { audit } = tools.stores;
    await tools.keepErasable(['patient']);
    const event = tools.mine.event();
    await audit.append(tools.scope, [event]);
    const pseudonym = await patientOf(tools, event);
    const posing = tools.mine.event({ patient: pseudonym });
    await audit.append(tools.scope, [posing]);
    holds((await patientOf(tools, posing)) !== pseudonym, 'an event was put under another’s pseudonym');
    same(await found(tools, { patient: 'patient-1' }), [event.id], 'search');
    const as = async (): Promise<void> => {
      const user = tools.mine.event({ actor: { id: pseudonym, type: 'user' }, patient: pseudonym });
      await audit.append(tools.scope, [user]);
      holds(!(await storedText(tools, user)).includes(pseudonym), 'an event names another’s pseudonym');
      await audit.append(tools.scope, [user]);
    };
    await as(); // users are kept in clear
    await tools.keepErasable([]);
    await as();
    same(await found(tools, { patient: 'patient-1' }), [event.id], 'search, off again');
  }),

  define('odd', 'keeps the bytes of odd texts, whatever stands in them', async (tools) => {
    await tools.keepErasable(defaultErasableKinds);
    const odd = '"\\\u0001\n ü\u{1f600}\u2028 \\u0000';
    const event = tools.mine.event({
      patient: odd,
      reason: 'a\u0000b \\u0000',
      detail: { [odd]: [odd, { patient: 'patient-1', n: 1e21 }], '\u0000': '\ue000' },
    });
    await tools.stores.audit.append(tools.scope, [event]);
    const pseudonym = await patientOf(tools, event);
    const given = new TextDecoder().decode(event.body);
    const text = await storedText(tools, event);
    same(
      text.slice(0, text.indexOf('"id"')).includes(given.slice(given.indexOf('"detail"'), given.indexOf('"id"'))),
      true,
      'detail',
    );
    same(text.includes(given.slice(given.indexOf('"reason"'), given.indexOf('"source"'))), true, 'reason');
    same((await tools.stores.identities.reveal(tools.scope, [pseudonym]))[pseudonym], odd, 'reveal');
    same(await found(tools, { patient: odd }), [event.id], 'search');
  }),

  define('erase', 'forgets the value for good, with its event, and leaves the log as it was', async (tools) => {
    const { audit, identities } = tools.stores;
    await tools.keepErasable(['patient', 'user']);
    const event = tools.mine.event();
    await audit.append(tools.scope, [event]);
    const [pseudonym, stored] = [await patientOf(tools, event), await storedText(tools, event)];
    const gone = erasing(tools.mine, pseudonym);
    same(
      await identities.erase(tools.scope, { ...patient, despiteRetention: true }, gone),
      { status: 'erased' },
      'answer',
    );
    const erasure = openEvent(at(await tools.reader.eventsFor(gone.id), 0, 'its event'));
    same([erasure.action, erasure.target?.id], ['identity.erase', pseudonym], 'its event');
    same(await storedText(tools, event), stored, 'stored');
    same(await identities.pseudonyms(tools.scope, patient), [], 'pseudonyms');
    same(await identities.reveal(tools.scope, [pseudonym]), {}, 'reveal');
    same(await found(tools, { patient: 'patient-1' }), [], 'search by value');
    const page = await audit.search(tools.scope, { patient: pseudonym });
    same(
      page.events.map(({ id }) => id),
      [event.id],
      'search by pseudonym',
    );
    same(page.identities?.[pseudonym], undefined, 'beside the page');
  }),

  define('erase.fresh', 'gives whoever comes back after an erasure a pseudonym of no relation', async (tools) => {
    const { audit, identities } = tools.stores;
    await tools.keepErasable(['patient']);
    const [before, after] = [tools.mine.event(), tools.mine.event()];
    await audit.append(tools.scope, [before]);
    status(await erase(tools), 'erased', 'erasure');
    await audit.append(tools.scope, [after]);
    holds((await patientOf(tools, before)) !== (await patientOf(tools, after)), 'the pseudonym came back');
    same(await identities.pseudonyms(tools.scope, patient), [await patientOf(tools, after)], 'pseudonyms');
    same(await found(tools, { patient: 'patient-1' }), [after.id], 'search');
  }),

  define('erase.twice', 'finds absent what was erased, or was never there, and writes no event', async (tools) => {
    await tools.keepErasable(['patient']);
    await tools.stores.audit.append(tools.scope, [tools.mine.event()]);
    same((await erase(tools)).status, 'erased', 'once');
    const count = await tools.reader.countEvents();
    same(await erase(tools), { status: 'absent' }, 'twice');
    same(await erase(tools, { kind: 'patient', value: 'nobody' }), { status: 'absent' }, 'never there');
    same(await tools.reader.countEvents(), count, 'events');
  }),

  define('erase.young', 'keeps for six years who was named, unless told otherwise', async (tools) => {
    const { audit, identities } = tools.stores;
    await tools.keepErasable(['patient', 'ip']);
    await audit.append(tools.scope, [tools.mine.event()]);
    const keptUntil = new Date(tools.clock.now());
    keptUntil.setUTCFullYear(keptUntil.getUTCFullYear() + 6);
    const young = { status: 'too_young', keptUntil: keptUntil.toISOString() };
    same(await erase(tools, patient, false), young, 'a patient');
    same(await erase(tools, { kind: 'ip', value: '192.0.2.7' }, false), young, 'an address');
    same((await identities.pseudonyms(tools.scope, patient)).length, 1, 'still there');
    same(await tools.reader.countEvents(), 1, 'events');
    await tools.advance(5 * year);
    const [pseudonym = ''] = await identities.pseudonyms(tools.scope, patient);
    // What a refusal leaves says the pseudonym, and nothing of the person: it does not put the erasure off.
    await audit.append(tools.scope, [erasing(tools.mine, pseudonym, 'Refused', 'denied')]);
    same(await erase(tools, patient, false), young, 'after a refusal');
    await tools.advance(2 * year);
    same(await erase(tools, patient, false), { status: 'erased' }, 'later');
  }),

  define('erase.held', 'erases nobody on whom a legal hold stands, or whom what is held names', async (tools) => {
    const { audit, identities, recordings } = tools.stores;
    await tools.keepErasable(['patient', 'user', 'ip']);
    await audit.append(tools.scope, [tools.mine.event()]);
    const hold = tools.mine.hold({ patient: 'patient-1' });
    const placing = tools.mine.event({
      action: 'hold.place',
      kind: 'create',
      actor: { id: 'counsel-1', type: 'user' },
    });
    status(await recordings.placeHold(tools.scope, hold, placing), 'placed', 'hold');
    const count = await tools.reader.countEvents();
    same(await erase(tools), { status: 'held' }, 'the patient');
    same(await erase(tools, { kind: 'user', value: 'provider-1' }), { status: 'held' }, 'who saw the record');
    same((await identities.pseudonyms(tools.scope, patient)).length, 1, 'still there');
    same(await tools.reader.countEvents(), count, 'events');
    const releasing = tools.mine.event({ action: 'hold.release', kind: 'update' });
    await recordings.releaseHold(tools.scope, hold.id, 'counsel-1', tools.clock.now().toISOString(), releasing);
    same(await erase(tools), { status: 'erased' }, 'once it is released');
  }),

  define('erase.about', 'takes no event about something else, and no reason that names the person', async (tools) => {
    const { audit, identities } = tools.stores;
    await tools.keepErasable(['patient']);
    await audit.append(tools.scope, [tools.mine.event(), tools.mine.event({ patient: 'patient-2' })]);
    const [pseudonym = ''] = await identities.pseudonyms(tools.scope, patient);
    const [another = ''] = await identities.pseudonyms(tools.scope, { kind: 'patient', value: 'patient-2' });
    const order = { ...patient, despiteRetention: true };
    const wrong = (event: SealedEvent): Promise<unknown> => identities.erase(tools.scope, order, event);
    await rejects(wrong(tools.mine.event()), 'invalid_input', "a recording's event");
    await rejects(wrong(erasing(tools.mine, pseudonym, ' ')), 'invalid_input', 'no reason');
    await rejects(wrong(erasing(tools.mine, pseudonym, 'patient-1 asked')), 'invalid_input', 'a reason with the value');
    await rejects(wrong(erasing(tools.mine, another)), 'conflict', "another's pseudonym");
    await rejects(wrong(erasing(tools.theirs, pseudonym)), 'invalid_input', "another tenant's event");
    same(await identities.pseudonyms(tools.scope, patient), [pseudonym], 'still there');
    same(await tools.reader.countEvents(), 2, 'events');
  }),

  define('tenants', 'keeps tenants apart: nothing of the other is revealed or erased', async (tools) => {
    const { audit, identities } = tools.stores;
    await tools.keepErasable(['patient']);
    await audit.append(tools.otherScope, [tools.theirs.event()]);
    const [pseudonym = ''] = await identities.pseudonyms(tools.otherScope, patient);
    same(await identities.pseudonyms(tools.scope, patient), [], 'pseudonyms');
    same(await identities.reveal(tools.scope, [pseudonym]), {}, 'reveal');
    const order = { ...patient, despiteRetention: true };
    const answer = await identities.erase(tools.scope, order, erasing(tools.mine, pseudonym));
    same(answer, { status: 'absent' }, 'erase');
    same(await identities.reveal(tools.otherScope, [pseudonym]), { [pseudonym]: 'patient-1' }, 'still there');
  }),

  define(
    'writers.at_once',
    'leads from one value to all events of writers that met it at the same time',
    async (tools) => {
      await tools.keepErasable(['patient', 'user']);
      const events = Array.from({ length: 8 }, () => tools.mine.event());
      await Promise.all(events.map((event) => tools.stores.audit.append(tools.scope, [event])));
      const ids = events.map(({ id }) => id).sort();
      same([...(await found(tools, { patient: 'patient-1' }))].sort(), ids, 'search');
      const page = await tools.stores.audit.search(tools.scope, { patient: 'patient-1' });
      same([...new Set(Object.values(page.identities ?? {}))].sort(), ['patient-1', 'provider-1'], 'revealed');
      status(await erase(tools), 'erased', 'erasure');
      same(await found(tools, { patient: 'patient-1' }), [], 'after the erasure');
    },
    ['concurrency'],
  ),

  define(
    'retry.at_once',
    'stores one event of several retries at the same time, of somebody new',
    async (tools) => {
      await tools.keepErasable(defaultErasableKinds);
      const event = tools.mine.event();
      await Promise.all(Array.from({ length: 6 }, () => tools.stores.audit.append(tools.scope, [event])));
      same(await tools.reader.countEvents(), 1, 'events');
    },
    ['concurrency'],
  ),

  define(
    'erase.at_once',
    'lets one of several erasures at the same time have erased',
    async (tools) => {
      await tools.keepErasable(['patient']);
      await tools.stores.audit.append(tools.scope, [tools.mine.event()]);
      const answers = await Promise.all(Array.from({ length: 6 }, () => erase(tools)));
      same(answers.map(({ status: one }) => one).sort(), [...Array(5).fill('absent'), 'erased'], 'answers');
      same(await tools.reader.countEvents(), 2, 'events');
    },
    ['concurrency'],
  ),

  define(
    'erase.names_all',
    'erases under an event that names every pseudonym, also one that came after the look',
    async (tools) => {
      const { audit, identities } = tools.stores;
      await tools.keepErasable(['patient']);
      const open = present(await tools.transaction?.(), 'transaction');
      await open.stores.audit.append(tools.scope, [tools.mine.event({ kind: 'update' })]);
      await audit.append(tools.scope, [tools.mine.event()], { durability: 'independent' });
      const seen = await identities.pseudonyms(tools.scope, patient);
      await open.commit();
      const all = await identities.pseudonyms(tools.scope, patient);
      same([seen.length, all.length], [1, 2], 'pseudonyms before and after the commit');
      const [order, count] = [{ ...patient, despiteRetention: true }, await tools.reader.countEvents()];
      const late = erasing(tools.mine, at(seen, 0, 'seen'), undefined, undefined, seen);
      await rejects(identities.erase(tools.scope, order, late), 'conflict', 'an event that names one of two');
      same([...(await identities.pseudonyms(tools.scope, patient))].sort(), [...all].sort(), 'still there');
      same(await tools.reader.countEvents(), count, 'events');
      status(await erase(tools), 'erased', 'an event that names both');
      same(await identities.pseudonyms(tools.scope, patient), [], 'pseudonyms');
      same(await identities.reveal(tools.scope, all), {}, 'reveal');
    },
    ['host-transaction', 'concurrency'],
  ),

  define(
    'transaction',
    'lets an identity commit and vanish with its event, and nobody wait for it',
    async (tools) => {
      const { audit, identities } = tools.stores;
      await tools.keepErasable(['patient', 'user']);
      const open = present(await tools.transaction?.(), 'transaction');
      const [inside, beside] = [tools.mine.event({ kind: 'update' }), tools.mine.event()];
      await open.stores.audit.append(tools.scope, [inside]);
      // A wire with one connection cannot write beside its own transaction, and says so.
      const wrote = await audit.append(tools.scope, [beside], { durability: 'independent' }).then(
        () => true,
        () => false,
      );
      await open.rollback();
      if (!wrote) await audit.append(tools.scope, [beside]);
      same(await found(tools, { patient: 'patient-1' }), [beside.id], 'search');
      same(await identities.pseudonyms(tools.scope, patient), [await patientOf(tools, beside)], 'pseudonyms');
    },
    ['host-transaction'],
  ),
];
